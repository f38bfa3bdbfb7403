/** Counting what somebody does against limits: over all processes by Redis, and in this one where Redis is away. */
import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { type Allowance, allowanceOf, type Limit, stepOf } from './gcra.ts';
import type { RedisLink } from './redis-link.ts';

/** `key`: who is counted, hashed before it leaves this process. */
export type Counted = { readonly limit: Limit; readonly key: string };
export type Limiter = {
  /** Counts a request against all of these limits, or against none if one of them refuses it. Never rejects. */
  take(counted: readonly Counted[]): Promise<readonly Allowance[]>;
  /** As if nothing had been counted. Never rejects. */
  forget(counted: Counted): Promise<void>;
};

/** `entries` bounds how many are remembered: the one longest not seen is forgotten, and begins anew. */
export const createMemoryLimiter = (clock: () => number = Date.now, entries = 50_000): Limiter => {
  const paidUntil = new LRUCache<string, number>({ max: entries });
  return {
    take: async (counted) => {
      const now = clock();
      const found = counted.map(({ limit, key }) => {
        const name = `${limit.name} ${key}`;
        const window = limit.window * 1_000;
        const full = (paidUntil.get(name) ?? now) - now;
        const ahead = Math.min(Math.max(0, full), window);
        if (full > window) paidUntil.set(name, now + window); // the clock was set back
        return { limit, name, ahead, may: ahead + stepOf(limit) <= window };
      });
      const allowed = found.every(({ may }) => may);
      return found.map(({ limit, name, ahead, may }) => {
        const after = allowed ? ahead + stepOf(limit) : ahead;
        if (allowed) paidUntil.set(name, now + after);
        return allowanceOf(limit, may, after);
      });
    },
    forget: async ({ limit, key }) => void paidUntil.delete(`${limit.name} ${key}`),
  };
};

/** Asks `local` where Redis does not answer: its limits hold for this process alone, and begin fresh. */
export const createRedisLimiter = (link: RedisLink, local: Limiter): Limiter => ({
  take: async (counted) => {
    const keys = counted.map(redisKeyOf);
    const values = counted.flatMap(({ limit }) => [String(stepOf(limit)), String(limit.window * 1_000)]);
    const answer = await link.run((client) => client.take(keys, values));
    if (answer?.length !== 2 * counted.length) return local.take(counted);
    return counted.map(({ limit }, n) => allowanceOf(limit, answer[2 * n] === 1, answer[2 * n + 1] ?? 0));
  },
  forget: async (counted) => {
    await Promise.all([local.forget(counted), link.run((client) => client.del(redisKeyOf(counted)))]);
  },
});

const redisKeyOf = ({ limit, key }: Counted): string =>
  `taskwire:limit:${limit.name}:${createHash('sha256').update(key).digest('base64url').slice(0, 22)}`;
