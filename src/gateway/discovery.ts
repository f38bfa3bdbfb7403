/** Where the copies of a service are: addresses as they are configured, and of a name all that it stands for. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';

/** `host` is the name, with its port, by which the service knows itself. */
export type CopyAddress = { readonly origin: string; readonly host: string };

export type Lookup = (name: string) => Promise<readonly { readonly address: string; readonly family: number }[]>;

const ask: Lookup = (name) => lookup(name, { all: true });

/** The addresses behind one configured origin. Rejects where the name is not known now. */
export const addressesOf = async (origin: string, lookUp: Lookup = ask): Promise<readonly CopyAddress[]> => {
  const { protocol, hostname, port, host } = new URL(origin);
  if (isIP(hostname.replace(/^\[|\]$/g, '')) !== 0) return [{ origin, host }];
  const found = await lookUp(hostname);
  // Addresses of the other family are other ways to the same copies, and not more of them.
  const family = Math.min(...found.map((one) => one.family));
  return found
    .filter((one) => one.family === family)
    .map(({ address }) => {
      const name = family === 6 ? `[${address}]` : address;
      return { origin: `${protocol}//${name}${port === '' ? '' : `:${port}`}`, host };
    });
};
