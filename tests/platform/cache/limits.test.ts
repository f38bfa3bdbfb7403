import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Limit } from '../../../src/platform/cache/gcra.ts';
import { createMemoryLimiter, createRedisLimiter, type Limiter } from '../../../src/platform/cache/limits.ts';
import { openRedisLink, type RedisLink } from '../../../src/platform/cache/redis-link.ts';
import { createLogger } from '../../../src/platform/telemetry/logger.ts';
import { type RedisServer, redis, startRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

/** ms, longer than the product waits: a busy machine shall not look like an absent Redis. */
const PATIENCE = 1_000;
let keys = 0;
const newKey = () => `somebody ${keys++}`;
const TEN_A_MINUTE: Limit = { name: 'ten', quota: 10, window: 60 };
/** Gives one back every 6 s, as the other does: none while a test runs. */
const MANY: Limit = { name: 'many', quota: 1_000, window: 6_000 };
/** Gives one back every 2 s: long after two were taken, on a slow machine too. */
const QUICK: Limit = { name: 'quick', quota: 2, window: 4 };
const allowed = async (limiter: Limiter, key: string, limit = TEN_A_MINUTE): Promise<boolean> =>
  (await limiter.take([{ limit, key }])).every((allowance) => allowance.allowed);

/** `here` and `there` are two processes, where there can be two. */
const limiterSuite = (here: () => Limiter, there: () => Limiter): void => {
  test('allows the whole quota at once, and says what is left', async () => {
    const key = newKey();
    const allowances = [];
    for (let n = 0; n < 12; n += 1) allowances.push(...(await here().take([{ limit: TEN_A_MINUTE, key }])));
    expect(allowances.map(({ remaining }) => remaining)).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0]);
    expect(allowances.map((allowance) => allowance.allowed)).toEqual([...Array(10).fill(true), false, false]);
    const [first, last] = [allowances[0], allowances[11]];
    expect(first).toMatchObject({ reset: 6, retryAfter: 0 });
    expect(last?.retryAfter).toBeGreaterThanOrEqual(5);
    expect(last?.retryAfter).toBeLessThanOrEqual(6);
  });

  test('counts each by itself', async () => {
    const [one, other] = [newKey(), newKey()];
    for (let n = 0; n < 10; n += 1) await here().take([{ limit: TEN_A_MINUTE, key: one }]);
    expect(await allowed(here(), one)).toBe(false);
    expect(await allowed(here(), other)).toBe(true);
    expect(await allowed(here(), one, MANY)).toBe(true);
  });

  test('gives back evenly, and Retry-After is when', async () => {
    const key = newKey();
    expect([await allowed(here(), key, QUICK), await allowed(here(), key, QUICK)]).toEqual([true, true]);
    const [refused] = await here().take([{ limit: QUICK, key }]);
    const { allowed: isAllowed, retryAfter = 0 } = refused ?? {};
    expect(isAllowed).toBe(false);
    expect([1, 2]).toContain(retryAfter);
    await pause(retryAfter * 1_000 + 50); // a timer may be a little early
    expect(await allowed(here(), key, QUICK)).toBe(true);
  });

  test('of several limits all are counted, or none', async () => {
    const key = newKey();
    for (let n = 0; n < 10; n += 1) await here().take([TEN_A_MINUTE, MANY].map((limit) => ({ limit, key })));
    for (let n = 0; n < 5; n += 1) {
      const [ten, many] = await here().take([TEN_A_MINUTE, MANY].map((limit) => ({ limit, key })));
      expect([ten?.allowed, many?.allowed]).toEqual([false, true]);
      expect(many?.remaining).toBe(990);
    }
  });

  test('what is forgotten was never counted', async () => {
    const key = newKey();
    for (let n = 0; n < 10; n += 1) await here().take([{ limit: TEN_A_MINUTE, key }]);
    await there().forget({ limit: TEN_A_MINUTE, key });
    expect(await here().take([{ limit: TEN_A_MINUTE, key }])).toMatchObject([{ allowed: true, remaining: 9 }]);
  });

  test('50 at once, in two processes: the quota, and none more', async () => {
    const key = newKey();
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) => allowed(n % 2 === 0 ? here() : there(), key)),
    );
    expect(answers.filter(Boolean)).toHaveLength(10);
  });
};

describe('limits in memory', () => {
  const limiter = createMemoryLimiter();
  limiterSuite(
    () => limiter,
    () => limiter,
  );

  test('a clock that is set back keeps nobody out for longer than a window', async () => {
    let now = 10_000_000;
    const limiter = createMemoryLimiter(() => now);
    for (let n = 0; n < 10; n += 1) await limiter.take([{ limit: TEN_A_MINUTE, key: 'x' }]);
    now -= 5_000_000;
    expect(await limiter.take([{ limit: TEN_A_MINUTE, key: 'x' }])).toMatchObject([{ allowed: false, retryAfter: 6 }]);
    now += 6_000;
    expect(await limiter.take([{ limit: TEN_A_MINUTE, key: 'x' }])).toMatchObject([{ allowed: true }]);
  });
});

redis.describe('limits in Redis', (executable) => {
  let server: RedisServer;
  let links: readonly RedisLink[];
  let here: Limiter;
  let there: Limiter;
  const isUp = () => until('the links', () => links.every((link) => link.isUp()));
  beforeAll(async () => {
    server = await startRedis(executable);
    const open = () =>
      openRedisLink(
        { host: '127.0.0.1', port: server.port },
        (client) => client.ping(),
        createLogger('silent'),
        PATIENCE,
      );
    links = [open(), open()];
    [here, there] = links.map((link) => createRedisLimiter(link, createMemoryLimiter())) as [Limiter, Limiter];
    await isUp();
  });
  afterAll(async () => {
    for (const link of links) await link.close();
    await server.stop();
  });

  limiterSuite(
    () => here,
    () => there,
  );

  test('no name lies in Redis in clear, or for longer than it takes to have the quota back', async () => {
    await server.flush();
    await here.take([{ limit: TEN_A_MINUTE, key: 'ada@example.org' }]);
    const [key = '', ...more] = (await server.ask('keys', '*')).split('\n');
    expect(more).toEqual([]);
    expect(key).toMatch(/^taskwire:limit:ten:[\w-]{22}$/);
    expect(Number(await server.ask('pttl', key))).toBeLessThanOrEqual(6_000);
  });

  test.each([
    'garbage',
    '',
    '-5',
    'NaN',
    '1e308',
    '99999999999999999999',
  ])('%j in its place refuses nobody for long', async (text) => {
    const key = newKey();
    await here.take([{ limit: QUICK, key }]);
    const [name = ''] = (await server.ask('keys', 'taskwire:limit:quick:*')).split('\n');
    await server.ask('set', name, text);
    await until('a request that is allowed', () => allowed(here, key, QUICK), 5_000);
    await server.flush();
  });

  test('a list under the key of a limit counts as nothing', async () => {
    const key = newKey();
    await here.take([{ limit: MANY, key }]);
    const [name = ''] = (await server.ask('keys', 'taskwire:limit:many:*')).split('\n');
    await server.ask('del', name);
    await server.ask('rpush', name, 'a');
    expect(await here.take([{ limit: MANY, key }])).toMatchObject([{ allowed: true, remaining: 999 }]);
  });

  test.each([
    ['killed', () => server.kill(), () => server.start()],
    ['hung', async () => server.freeze(), async () => server.resume()],
  ])('%s: each process counts by itself, without waiting, and together again afterwards', async (_how, away, back) => {
    const key = newKey();
    await away();
    const began = performance.now();
    const answers = await Promise.all(Array.from({ length: 40 }, () => allowed(here, key)));
    expect(performance.now() - began).toBeLessThan(PATIENCE + 1_500);
    expect(answers.filter(Boolean)).toHaveLength(10);
    const again = performance.now();
    for (let n = 0; n < 100; n += 1) await allowed(here, key);
    expect(performance.now() - again, 'nobody waits for what is known to be away').toBeLessThan(2_000);
    await back();
    await isUp();
    const together = newKey();
    const both = await Promise.all(
      [here, there].flatMap((one) => Array.from({ length: 10 }, () => allowed(one, together))),
    );
    expect(both.filter(Boolean)).toHaveLength(10);
  });
});
