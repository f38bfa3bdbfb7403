/** A way to a database that can break like a network does. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export type BreakableProxy = {
  readonly port: number;
  /** Ends every connection; new ones are made. */
  cut(): void;
  /** Connections stand and are accepted, and no byte passes; those that stood then stay dead for ever. */
  swallow(): void;
  pass(): void;
  close(): Promise<void>;
};

/** Passes connections on to the unix socket at `path`, by default from any port that is free. */
export const openProxy = async (path: string, at = 0): Promise<BreakableProxy> => {
  const pairs = new Set<readonly [Socket, Socket]>();
  const dead: Socket[] = [];
  let swallowing = false;
  const server = createServer((near) => {
    near.on('error', () => undefined);
    if (swallowing) return void dead.push(near);
    const far = connect(path);
    const pair = [near, far] as const;
    pairs.add(pair);
    near.pipe(far).pipe(near);
    for (const socket of pair) {
      socket.on('error', () => undefined); // the other end learns of it by `close`
      socket.on('close', () => {
        pairs.delete(pair);
        for (const one of pair) one.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(at, '127.0.0.1', resolve));
  const cut = () => {
    for (const [near] of pairs) near.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    swallow: () => {
      swallowing = true;
      for (const [near, far] of pairs) {
        near.unpipe(far).pause();
        far.unpipe(near).pause();
        dead.push(near, far);
      }
      pairs.clear();
    },
    pass: () => {
      swallowing = false;
    },
    close: async () => {
      cut();
      for (const socket of dead) socket.destroy();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
};
