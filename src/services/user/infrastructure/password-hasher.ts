/**
 * bcrypt(base64(HMAC-SHA-384(pepper, NFC(password)))): bcrypt reads 72 bytes and silently drops the rest, so the
 * password is condensed first, into 64 characters; the pepper makes a stolen table useless without the process.
 * A hash is tagged with scheme, cost and pepper: `bcrypt-hmac-sha384$12$<pepper id>$<bcrypt>`; one with another tag
 * still verifies where its pepper is known, and is to be replaced.
 */
import { createHmac } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { hash as bcrypt, verify as bcryptVerify } from '@node-rs/bcrypt';
import { secretId, secretsIn } from '#platform/keys/secret-list.ts';
import { Overloaded } from '#platform/resilience/refusal.ts';

export type PasswordHasher = {
  hash(password: string): Promise<string>;
  /** `outdated`: right, but under an older tag. Without a stored hash the same time is spent, and the answer is wrong. */
  verify(password: string, stored: string | undefined): Promise<'right' | 'outdated' | 'wrong'>;
};

const SCHEME = 'bcrypt-hmac-sha384';
/** Hashing runs on Node's worker threads; one core stays for everything else. */
const AT_ONCE = Math.max(1, availableParallelism() - 1);
const MAY_WAIT = 12;

/** `setting` may be several peppers (secret-list.ts): the newest hashes, and each verifies what it hashed. */
export const createPasswordHasher = (setting: string, cost: number): PasswordHasher => {
  const peppers = secretsIn(setting);
  const byId = new Map(peppers.map((pepper) => [secretId(pepper), pepper]));
  const tag = `${SCHEME}$${cost}$${secretId(peppers[0])}$`;
  const condense = (password: string, pepper = peppers[0]) =>
    createHmac('sha384', pepper).update(password.normalize('NFC')).digest('base64');
  const inTurn = boundedQueue(AT_ONCE, MAY_WAIT);
  const dummy = bcrypt('nobody’s password', cost);
  dummy.catch(() => undefined); // told to whoever needs it

  return {
    hash: (password) => inTurn(async () => tag + (await bcrypt(condense(password), cost))),
    verify: (password, stored) =>
      inTurn(async () => {
        const [scheme, , pepperId = '', ...rest] = (stored ?? '').split('$');
        const pepper = scheme === SCHEME ? byId.get(pepperId) : undefined;
        const right = await bcryptVerify(
          condense(password, pepper),
          pepper === undefined ? await dummy : rest.join('$'),
        );
        if (!right || pepper === undefined) return 'wrong';
        return stored?.startsWith(tag) ? 'right' : 'outdated';
      }),
  };
};

/** Runs at most `atOnce` at a time; throws Overloaded at once when more than `mayWait` wait already. */
const boundedQueue = (atOnce: number, mayWait: number) => {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async <T>(run: () => Promise<T>): Promise<T> => {
    if (running >= atOnce) {
      if (waiting.length >= mayWait) throw new Overloaded('too many passwords are being checked');
      await new Promise<void>((resolve) => waiting.push(resolve)); // whoever leaves hands its place over
    } else running += 1;
    try {
      return await run();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  };
};
