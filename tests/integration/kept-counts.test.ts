/** Counts are kept between requests, and whoever writes finds what they wrote: in any copy, whatever becomes of Redis. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type App, buildApp } from '../../src/app.ts';
import { parseConfig } from '../../src/platform/config/config.ts';
import { createLogger } from '../../src/platform/telemetry/logger.ts';
import { type Ask, startTestApp, type TestApp } from '../support/app.ts';
import { type RedisServer, redis, startRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

const countOf = async (ask: Ask, query = '', headers = {}): Promise<number> =>
  (await ask('GET', `/api/v1/tasks?limit=1&count=true${query}`, { headers })).body.totalCount;
const unread = async (ask: Ask, headers = {}): Promise<number> =>
  (await ask('GET', '/api/v1/inbox/unread-count', { headers })).body.count;
const create = (ask: Ask, title = 'Water the plants') => ask('POST', '/api/v1/tasks', { body: { title } });

describe('a count', () => {
  let product: TestApp;
  beforeAll(async () => {
    product = await startTestApp();
  });
  afterAll(() => product.close());
  /** Behind the product's back, so that a kept count can be told from one that is made anew. */
  const addTask = (owner: string) =>
    product.database.sql(
      `insert into task_service.task_list
       select (jsonb_populate_record(t, jsonb_build_object('id', gen_random_uuid()))).* from task_service.task_list t
       where owner_id = $1 limit 1`,
      [owner],
    );

  /** A writing transaction of anybody in the cluster puts off that an answer is kept. Answers how many tasks there are. */
  const untilKept = async ({ ask, id }: { readonly ask: Ask; readonly id: string }): Promise<number> => {
    let made = (await ask('GET', '/api/v1/tasks')).body.items.length;
    await until('a count that is kept', async () => {
      const before = await countOf(ask);
      await addTask(id);
      made += 1;
      return (await countOf(ask)) === before && before < made;
    });
    return made;
  };

  test('is kept, and made anew once a row is written that it counts', async () => {
    const ada = await product.person();
    await create(ada.ask);
    const made = await untilKept(ada);
    await create(ada.ask);
    expect(await countOf(ada.ask)).toBe(made + 1);
    expect(await countOf(ada.ask, '&status=completed')).toBe(0);
  });

  test('is not answered from memory to who brings a token, nor where time alone changes it', async () => {
    const ada = await product.person();
    const token = String((await create(ada.ask)).headers['consistency-token']);
    await countOf(ada.ask, '&overdue=false');
    const made = await untilKept(ada);
    expect(await countOf(ada.ask, '', { 'consistency-token': token })).toBe(made);
    expect(await countOf(ada.ask, '&overdue=false')).toBe(made);
  });

  test('is nobody else’s', async () => {
    const [ada, bob] = [await product.person(), await product.person()];
    await create(ada.ask);
    expect([await countOf(ada.ask), await countOf(bob.ask)]).toEqual([1, 0]);
  });

  test('follows every way in which a row is written', async () => {
    const { ask } = await product.person();
    const { id } = (await create(ask)).body;
    const counts = async () => [
      await countOf(ask, '&status=open'),
      await countOf(ask, '&status=completed'),
      await countOf(ask),
    ];
    expect(await counts()).toEqual([1, 0, 1]);
    await ask('POST', `/api/v1/tasks/${id}/complete`);
    expect(await counts()).toEqual([0, 1, 1]);
    await ask('POST', `/api/v1/tasks/${id}/reopen`);
    expect(await counts()).toEqual([1, 0, 1]);
    await ask('DELETE', `/api/v1/tasks/${id}`);
    expect(await counts()).toEqual([0, 0, 0]);
    expect((await ask('GET', '/api/v1/tasks/trash?count=true')).body.totalCount).toBe(1);
    await ask('POST', `/api/v1/tasks/${id}/restore`);
    expect(await counts()).toEqual([1, 0, 1]);
    expect((await ask('GET', '/api/v1/tasks/trash?count=true')).body.totalCount).toBe(0);
  });

  test('of what is unread follows what others do, and what its owner reads', async () => {
    const { ask } = await product.person();
    expect(await unread(ask)).toBe(0);
    const { id } = (await create(ask)).body;
    await ask('POST', `/api/v1/tasks/${id}/complete`);
    await until('the entry', async () => (await unread(ask)) === 1);
    const [entry] = (await ask('GET', '/api/v1/inbox')).body.items;
    await ask('PATCH', `/api/v1/inbox/${entry.id}`, { body: { read: true } });
    expect(await unread(ask)).toBe(0);
    await ask('PATCH', `/api/v1/inbox/${entry.id}`, { body: { read: false } });
    expect(await unread(ask)).toBe(1);
    await ask('POST', '/api/v1/inbox/read-all');
    expect(await unread(ask)).toBe(0);
  });
});

redis.describe('two copies with Redis', (executable) => {
  let server: RedisServer;
  let product: TestApp;
  let second: App;
  beforeAll(async () => {
    server = await startRedis(executable);
    const settings = { REDIS_HOST: '127.0.0.1', REDIS_PORT: String(server.port) };
    product = await startTestApp(settings);
    const config = parseConfig({
      ...settings,
      NODE_ENV: 'test',
      DATA_DIR: product.config.DATA_DIR,
      RATE_LIMITS: 'off',
    });
    second = await buildApp(config, product.secrets, product.database.address, createLogger('silent'));
    for (const http of [product.app.http, second.http])
      await until('its cache', async () => (await http.inject('/health')).json().parts.cache.status === 'ok');
  });
  afterAll(async () => {
    await second.close();
    await product.close();
    await server.stop();
  });

  test('what is written in one is counted in the other, at once', async () => {
    const { ask, token } = await product.person();
    const headers = { authorization: `Bearer ${token}` };
    const there = async () =>
      (await second.http.inject({ url: '/api/v1/tasks?limit=1&count=true', headers })).json().totalCount;
    for (let n = 1; n <= 60; n += 1) {
      await create(ask);
      expect(await there()).toBe(n);
      expect(await there(), 'and again, from what is kept').toBe(n);
      expect(await countOf(ask)).toBe(n);
    }
    const stats = await server.ask('info', 'commandstats');
    expect(stats, 'else nothing was kept').toMatch(/cmdstat_evalsha:calls=\d{2,}/);
  });
});
