import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below those that the system lends to whoever connects to anything, and each worker has its own. */
const SHARE = 2_000;
const FIRST = 11_000 + (Number(process.env.VITEST_POOL_ID ?? 0) % 4) * SHARE;
/** Who was told of one may have yet to listen there, or be away for a moment. */
const given = new Set<number>();

/** A port that nobody listens on just now: for whoever must be told where somebody will be, before they are there. */
export const freePort = async (): Promise<number> => {
  for (;;) {
    if (given.size > SHARE / 2) given.clear(); // the first of them are long done with
    const port = randomInt(FIRST, FIRST + SHARE);
    if (given.has(port)) continue;
    given.add(port);
    if (await isFree(port)) return port;
  }
};

const isFree = async (port: number): Promise<boolean> => {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
};
