/**
 * The cache that processes share. Three keys make an answer: the epoch, the scope's mark, and the answer itself, which is
 * sealed and bound to its slot, so that what somebody else wrote there is a miss, and nothing personal lies in clear.
 *
 * What was read is also kept in this process, and Redis says when one of those keys changes (RESP3 tracking). Rejected:
 * the client library's own store of that kind. It grows by a set for each key that it ever read and was not told of; and
 * a flush that comes right behind an answer empties it before that answer is put in, which nobody ever takes out again.
 */
import { createHash } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import { createSeal } from '../http/seal.ts';
import { newId } from '../keys/ids.ts';
import { formats } from '../schema/formats.ts';
import type { Logger } from '../telemetry/logger.ts';
import { type Cache, HOLDS, LONGEST, REMEMBERED, type Slot } from './cache.ts';
import { openRedisLink, type RedisAddress, type RedisClient, type RedisLink } from './redis-link.ts';

const EPOCH = 'taskwire:cache:epoch';
/** Characters of an answer, sealed: what is larger costs more to carry than to make. */
const LARGEST = 64 * 1024;
/** Answers that this process keeps of what it read. */
const NEAR = 10_000;

const beginEpoch = (client: RedisClient) => client.set(EPOCH, newId());

type Options = { readonly holds?: number; readonly remembered?: number; readonly longest?: number };

/** Seals with `secret`, which all processes of an installation share. `link` serves rate limits too. */
export const openRedisCache = (
  address: RedisAddress,
  secret: string,
  logger: Logger,
  { holds = HOLDS, remembered = REMEMBERED, longest = LONGEST }: Options = {},
): { readonly cache: Cache; readonly link: RedisLink } => {
  const link = openRedisLink(address, beginEpoch, logger, longest);
  const near = createNear();
  link.onChange(near.changed);
  const { seal, open } = createSeal(secret, 'cache');
  let renewing: Promise<unknown> | undefined;
  const renew = async (): Promise<void> => {
    renewing ??= link.run(beginEpoch).finally(() => {
      renewing = undefined;
    });
    await renewing;
  };
  const keysOf = ({ scope, name }: Slot) => ({ mark: keyOf('mark', scope), value: keyOf('value', scope, name) });

  const cache: Cache = {
    get: async (slot) => {
      await turn(); // what Redis has said of changes is read before what is kept here is believed
      const keys = keysOf(slot);
      const known = near.get(keys.value);
      if (known) return { value: known.value };
      return near.reading(keys, async (keep) => {
        const now = Date.now();
        const found = await link.run((client) => client.mGet([EPOCH, keys.mark, keys.value]));
        const [epoch, mark, text] = found ?? [];
        if (epoch == null || !formats.uuid(epoch)) {
          if (found) await renew(); // flushed, or overwritten
          return { miss: undefined };
        }
        const kept = text ? read(text, slot, open) : undefined;
        const inTime = kept && kept.until > now && kept.until <= now + 2 * holds;
        if (!inTime || kept.epoch !== epoch || !isAbove(kept.version, mark)) {
          return { miss: { epoch, until: now + holds } };
        }
        keep(kept);
        return { value: kept.value };
      });
    },
    set: async (slot, { epoch, until }, value, version) => {
      const keys = keysOf(slot);
      const sealed = seal(JSON.stringify([slot.scope, slot.name, epoch, version, until, value]));
      if (sealed.length > LARGEST) return;
      const values = [epoch, String(Math.floor(until)), String(version), sealed, String(remembered)];
      await link.run((client) => client.keepAbove([EPOCH, keys.mark, keys.value], values));
    },
    drop: async (scopes, version) => {
      if (scopes.length === 0) return;
      const marks = scopes.map((scope) => keyOf('mark', scope));
      const done = await link.run((client) => client.dropAll(marks, [String(version), String(remembered)]));
      // Redis may answer us just before it tells others of the change. A second answer comes when they were told.
      const told = done && (await link.run((client) => client.ping()));
      if (told === undefined) link.owe();
      for (const mark of marks) near.changed(mark); // Redis says so as well, but behind its answer
    },
  };
  return { cache, link };
};

type Kept = { readonly epoch: string; readonly version: number; readonly until: number; readonly value: unknown };
const read = (text: string, { scope, name }: Slot, open: (sealed: string) => string | undefined): Kept | undefined => {
  const opened = text.length > 2 * LARGEST ? undefined : open(text.slice(text.lastIndexOf('|') + 1));
  if (opened === undefined) return undefined;
  const [ofScope, ofName, epoch, version, until, value] = JSON.parse(opened); // sealed by us
  return ofScope === scope && ofName === name ? { epoch, version, until, value } : undefined;
};

const isAbove = (version: number, mark: string | null | undefined): boolean =>
  mark == null || (/^\d{1,16}$/.test(mark) && version > Number(mark));

const keyOf = (kind: 'mark' | 'value', ...parts: readonly string[]): string =>
  `taskwire:cache:${kind}:${createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 27)}`;

type Keys = { readonly mark: string; readonly value: string };
/** What was read over this connection, by the keys on whose change it is forgotten. */
const createNear = () => {
  const byMark = new Map<string, Set<string>>();
  const reads = new Set<{ readonly keys: Keys; fresh: boolean }>();
  const kept = new LRUCache<string, Kept & { readonly mark: string }>({
    max: NEAR,
    dispose: ({ mark }, value) => {
      const under = byMark.get(mark);
      under?.delete(value);
      if (under?.size === 0) byMark.delete(mark);
    },
  });
  return {
    get: (value: string): Kept | undefined => {
      const found = kept.get(value);
      return found && found.until > Date.now() ? found : undefined;
    },
    /** What changes while the answer is on its way is not kept. */
    reading: async <T>(keys: Keys, ask: (keep: (found: Kept) => void) => Promise<T>): Promise<T> => {
      const read = { keys, fresh: true };
      reads.add(read);
      try {
        return await ask((found) => {
          if (!read.fresh) return;
          kept.set(keys.value, { ...found, mark: keys.mark });
          byMark.set(keys.mark, (byMark.get(keys.mark) ?? new Set()).add(keys.value));
        });
      } finally {
        reads.delete(read);
      }
    },
    changed: (key: string | undefined): void => {
      const all = key === undefined || key === EPOCH;
      for (const read of reads) if (all || read.keys.mark === key || read.keys.value === key) read.fresh = false;
      if (all) kept.clear();
      else for (const value of [key, ...(byMark.get(key) ?? [])]) kept.delete(value);
    },
  };
};
