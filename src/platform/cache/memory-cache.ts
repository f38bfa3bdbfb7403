/** The cache of a process that alone writes to its database: bounded, and never wrong. */
import { LRUCache } from 'lru-cache';
import { type Cache, HOLDS, REMEMBERED, type Slot } from './cache.ts';

type Kept = { readonly value: unknown; readonly version: number; readonly epoch: string };

/** Values are kept as they are: whoever gets one must not change it. `entries` bounds answers and marks, each. */
export const createMemoryCache = ({ entries = 10_000, holds = HOLDS, remembered = REMEMBERED } = {}): Cache => {
  let epoch = 0;
  const values = new LRUCache<string, Kept>({ max: entries, ttl: holds });
  const marks = new LRUCache<string, number>({
    max: entries,
    ttl: remembered,
    // A mark that had to make room no longer keeps old answers out: those that were begun before count no more.
    dispose: (_version, _scope, reason) => {
      if (reason === 'evict') epoch += 1;
    },
  });
  return {
    get: async (slot) => {
      const kept = values.get(keyOf(slot));
      if (kept && kept.epoch === String(epoch) && kept.version > (marks.get(slot.scope) ?? 0))
        return { value: kept.value };
      return { miss: { epoch: String(epoch), until: Date.now() + holds } };
    },
    set: async (slot, ticket, value, version) => {
      const key = keyOf(slot);
      const left = ticket.until - Date.now();
      const lying = values.get(key);
      const above = Math.max(marks.get(slot.scope) ?? 0, lying?.epoch === ticket.epoch ? lying.version : 0);
      if (left <= 0 || ticket.epoch !== String(epoch) || version <= above) return;
      values.set(key, { value, version, epoch: ticket.epoch }, { ttl: left });
    },
    drop: async (scopes, version) => {
      for (const scope of scopes) marks.set(scope, Math.max(version, marks.get(scope) ?? 0));
    },
  };
};

const keyOf = ({ scope, name }: Slot): string => `${scope}\u001f${name}`;
