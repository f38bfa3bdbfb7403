/**
 * The one connection of a process to Redis, and whether to ask there at all.
 *
 *   AWAY   nothing is asked, so nobody waits. In the background, every 250 ms to 1 s: connect, log in, begin a new epoch.
 *    │     A drop that finds Redis away is owed.
 *    │ all three were done in half a second each, and no drop came to be owed meanwhile (else another epoch)
 *    ▼
 *   UP     commands are sent, and a PING each second, so that silence is noticed when nobody asks.
 *    │ an answer late by 150 ms, an error in place of one, or the connection broke
 *    ▼
 *   AWAY   the connection is cut, and all that was kept here of what it read is forgotten. What was under way is
 *          undecided, and never sent again.
 *
 * Why a new epoch at each return: a drop that failed left an old answer behind, in a Redis that may have been away for us
 * alone. Which ones those are need not be remembered: whatever was kept before our return is void, for everybody. A hung
 * Redis that wakes may still carry out what was sent to it long ago; a `set` of then names the epoch of its ticket, and
 * is refused. Until our return, others that reach Redis may be answered what we could not drop: for HOLDS ms, the time
 * that any answer is kept, and no longer. A process that starts comes from AWAY too, for one that was killed between a
 * commit and its drop owed it.
 */
import { createClient } from 'redis';
import type { Logger } from '../telemetry/logger.ts';
import { LONGEST } from './cache.ts';
import { SCRIPTS } from './redis-scripts.ts';

export type RedisAddress = {
  readonly host: string;
  readonly port: number;
  readonly password?: string | undefined;
  readonly tls?: boolean;
};
export type RedisClient = ReturnType<typeof clientOf>;
export type RedisLink = {
  /** What Redis answers; undefined where it is away or does not answer in time, and then at once for the next. */
  run<T>(ask: (client: RedisClient) => Promise<T>): Promise<T | undefined>;
  /** The keys that others changed of those that were read over this connection; none named = any of them. */
  onChange(changed: (key: string | undefined) => void): void;
  readonly isUp: () => boolean;
  /** That a drop could not be sent: no return counts before the next epoch. */
  owe(): void;
  close(): Promise<void>;
};

const CONNECTING = 500;
const PAUSES = [250, 500, 1_000];
const HEARTBEAT = 1_000;

/** Connects in the background, for as long as it takes. `begin` is what comes first on each connection. */
export const openRedisLink = (
  address: RedisAddress,
  begin: (client: RedisClient) => Promise<unknown>,
  logger: Logger,
  longest = LONGEST,
): RedisLink => {
  const listeners: ((key: string | undefined) => void)[] = [];
  let client: RedisClient | undefined;
  let owed = false;
  let closed = false;
  let failures = 0;
  let told: boolean | undefined;

  const changed = (key: string | undefined) => {
    for (const listener of listeners) listener(key);
  };
  /** Each change once, however often it is tried meanwhile. */
  const tell = (up: boolean, error?: unknown): void => {
    if (told === up || closed) return;
    if (up) logger.info('the cache is there', { url: `${address.host}:${address.port}` });
    else logger.warn('the cache is away; answers are made anew, limits count in this process', { error });
    told = up;
  };
  const lost = (which: RedisClient, error: unknown): void => {
    if (client !== which) return;
    client = undefined;
    changed(undefined);
    cut(which);
    tell(false, error);
    void connect();
  };
  const connect = async (): Promise<void> => {
    while (!closed && client === undefined) {
      const fresh = clientOf(address);
      fresh.on('error', (error) => lost(fresh, error));
      fresh.on('invalidate', (key: Buffer | string | null) => changed(key?.toString()));
      try {
        await inTime(fresh.connect(), CONNECTING);
        do {
          owed = false;
          await inTime(begin(fresh), CONNECTING);
        } while (owed);
        if (closed || !fresh.isReady) throw new Error('the connection broke at once');
        client = fresh;
        failures = 0;
        tell(true);
      } catch (error) {
        cut(fresh);
        tell(false, error);
        await new Promise((resolve) => setTimeout(resolve, PAUSES[failures++] ?? PAUSES.at(-1)).unref());
      }
    }
  };
  const run: RedisLink['run'] = async (ask) => {
    const asked = client;
    if (asked === undefined) return undefined;
    try {
      return await inTime(ask(asked), longest);
    } catch (error) {
      lost(asked, error); // whatever it was: who cannot be relied upon is away
      return undefined;
    }
  };

  void connect();
  const heartbeat = setInterval(() => void run((up) => up.ping()), HEARTBEAT).unref();
  return {
    run,
    onChange: (listener) => void listeners.push(listener),
    isUp: () => client !== undefined,
    owe: () => {
      owed = true;
    },
    close: async () => {
      closed = true;
      clearInterval(heartbeat);
      if (client) cut(client);
      client = undefined; // one that is still connecting is cut as soon as it is there
    },
  };
};

/** The client neither waits nor tries again by itself: it would hold requests for seconds, and send what is long stale. */
const clientOf = ({ host, port, password, tls }: RedisAddress) =>
  createClient({
    RESP: 3,
    scripts: SCRIPTS,
    emitInvalidate: true,
    disableOfflineQueue: true,
    maintNotifications: 'disabled',
    commandOptions: { timeout: 0 }, // it ends only with the write to the socket; ours with the answer
    socket: { host, port, connectTimeout: CONNECTING, reconnectStrategy: false, ...(tls ? { tls } : {}) },
    ...(password && { password }),
  });

const cut = (client: RedisClient): void => {
  if (client.isOpen) client.destroy();
};

const inTime = async <T>(answer: Promise<T>, ms: number): Promise<T> => {
  const { promise: late, reject } = Promise.withResolvers<never>();
  // What came in while this process was busy counts: it is read before the immediate is run.
  const timer = setTimeout(() => setImmediate(() => reject(new Error(`no answer within ${ms} ms`))), ms).unref();
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
};
