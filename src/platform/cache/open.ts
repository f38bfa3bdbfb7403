/** What the processes of an installation share beside their databases, as configured: kept answers, and counted requests. */
import type { Config } from '../config/config.ts';
import { collecting } from '../telemetry/collectors.ts';
import type { Logger } from '../telemetry/logger.ts';
import { gauges, metrics } from '../telemetry/metrics.ts';
import { type Cache, NO_CACHE } from './cache.ts';
import { createMemoryLimiter, createRedisLimiter, type Limiter } from './limits.ts';
import { createMemoryCache } from './memory-cache.ts';
import { openRedisCache } from './redis-cache.ts';
import { openRedisLink, type RedisLink } from './redis-link.ts';

export type Shared = {
  readonly cache: Cache;
  /** undefined where limits are switched off. */
  readonly limits: { readonly limiter: Limiter } | undefined;
  /** Whether Redis is there; missing where none is configured. */
  readonly health?: () => Promise<{ readonly status: 'ok' | 'degraded'; readonly detail?: string }>;
  close(): Promise<void>;
};

/** Connects in the background. Without `secret`, which seals answers, nothing is kept: a gateway has neither. */
export const openShared = (config: Config, logger: Logger, secret?: string): Shared => {
  const local = createMemoryLimiter();
  const limitsOf = (limiter: Limiter) => (config.RATE_LIMITS === 'on' ? { limiter } : undefined);
  if (config.REDIS_HOST === undefined) {
    // Whoever else writes to a server that is shared could not tell our memory of it.
    const cache = config.DB_HOST === undefined ? createMemoryCache() : NO_CACHE;
    return { cache: counting(cache), limits: limitsOf(local), close: async () => undefined };
  }

  const { REDIS_HOST: host, REDIS_PORT: port, REDIS_PASSWORD: password, REDIS_TLS } = config;
  const address = { host, port, password, tls: REDIS_TLS === 'on' };
  const { cache, link } = secret
    ? openRedisCache(address, secret, logger)
    : { cache: NO_CACHE, link: openRedisLink(address, (client) => client.ping(), logger) };
  const stopCollecting = collecting('redis', () => [() => gauges.redisUp.set(link.isUp() ? 1 : 0)]);
  return {
    cache: counting(cache),
    limits: limitsOf(createRedisLimiter(link, local)),
    health: async () => healthOf(link),
    close: async () => {
      stopCollecting();
      await link.close();
    },
  };
};

/** Counts hits and misses; a process without a cache has none to count. */
const counting = (cache: Cache): Cache => {
  if (cache === NO_CACHE) return cache;
  return {
    ...cache,
    get: async (slot) => {
      const found = await cache.get(slot);
      metrics.cache.inc({ result: 'value' in found ? 'hit' : 'miss' });
      return found;
    },
  };
};

const healthOf = (link: RedisLink) =>
  link.isUp()
    ? ({ status: 'ok' } as const)
    : ({
        status: 'degraded',
        detail: 'Redis is away: answers are made anew, and limits count in each process',
      } as const);
