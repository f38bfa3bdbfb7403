/** Idempotency-Key: the same request is carried out once, however often it is sent, and answered alike each time. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildApp } from '../../src/app.ts';
import { createLogger } from '../../src/platform/telemetry/logger.ts';
import { asking, PASSWORD, startTestApp, type TestApp } from '../support/app.ts';
import { countEvents, expectNothingStored, expectProblem } from '../support/expectations.ts';
import { succeeded } from '../support/succeeded.ts';
import { until } from '../support/until.ts';

let product: TestApp;
let ada: Awaited<ReturnType<TestApp['person']>>;
let keys = 0;
beforeAll(async () => {
  product = await startTestApp();
  ada = await product.person();
});
afterAll(() => product.close());

const freshKey = () => {
  keys += 1;
  return `key-${keys}`;
};
const task = async (body: object = { title: 'a task' }) =>
  `/api/v1/tasks/${(await ada.ask('POST', '/api/v1/tasks', { body })).body.id}`;
const category = async () =>
  `/api/v1/categories/${(await ada.ask('POST', '/api/v1/categories', { body: { name: 'c' } })).body.id}`;
const unread = async () => (await ada.ask('GET', '/api/v1/inbox/unread-count')).body;
const shownHeaders = ({ etag, location }: Record<string, unknown>) => ({ etag, location });

type Write = { method: string; url: string; body?: object };
const WRITES: Record<string, { write: () => Promise<Write> }> = {
  'creating a task': { write: async () => ({ method: 'POST', url: '/api/v1/tasks', body: { title: 'new' } }) },
  'creating a category': { write: async () => ({ method: 'POST', url: '/api/v1/categories', body: { name: 'new' } }) },
  'changing a task': { write: async () => ({ method: 'PATCH', url: await task(), body: { title: 'changed' } }) },
  'changing nothing': { write: async () => ({ method: 'PATCH', url: await task(), body: {} }) },
  'completing a task': { write: async () => ({ method: 'POST', url: `${await task()}/complete` }) },
  'deleting a task': { write: async () => ({ method: 'DELETE', url: await task() }) },
  'deleting a category': { write: async () => ({ method: 'DELETE', url: await category() }) },
  'archiving a category': { write: async () => ({ method: 'POST', url: `${await category()}/archive` }) },
  'marking an entry of the inbox': {
    write: async () => {
      const before = (await unread()).count;
      await ada.ask('POST', `${await task()}/complete`);
      await until('ada to be told', async () => (await unread()).count > before);
      const [entry] = (await ada.ask('GET', '/api/v1/inbox')).body.items;
      return { method: 'PATCH', url: `/api/v1/inbox/${entry.id}`, body: { read: true, archived: true } };
    },
  },
  'changing a user': {
    write: async () => ({ method: 'PATCH', url: '/api/v1/me', body: { displayName: `Ada ${freshKey()}` } }),
  },
};

describe.each(Object.entries(WRITES))('%s', (_what, { write }) => {
  test('again is answered alike, and says so', async () => {
    const { method, url, body } = await write();
    const send = () => ada.ask(method, url, { body, headers: { 'idempotency-key': key } });
    const key = freshKey();
    const first = await send();
    expect(first.status).toBeLessThan(300);
    expect(first.headers).not.toHaveProperty('idempotency-replayed');
    await expectNothingStored(product, async () => {
      const again = await send();
      expect(again.headers['idempotency-replayed']).toBe('true');
      expect([again.status, again.body]).toEqual([first.status, first.body]);
      expect(shownHeaders(again.headers)).toEqual(shownHeaders(first.headers));
    });
  });
});

test.each(['PATCH', 'complete', 'DELETE'])('%s again is answered as then, though it changed since', async (what) => {
  const url = await task();
  const key = freshKey();
  const send = () => {
    const headers = { 'idempotency-key': key };
    if (what === 'complete') return ada.ask('POST', `${url}/complete`, { headers });
    return ada.ask(what, url, { headers, ...(what === 'PATCH' && { body: { title: 'then' } }) });
  };
  const first = await send();
  const rest = { DELETE: 'restore', complete: 'reopen' }[what] ?? 'complete';
  await succeeded(ada.ask('POST', `${url}/${rest}`));
  await succeeded(ada.ask('PATCH', url, { body: { title: 'now' } }));
  const again = await send();
  expect([again.status, again.body, again.headers.etag]).toEqual([first.status, first.body, first.headers.etag]);
  expect((await ada.ask('GET', url)).body).toMatchObject({ title: 'now', version: 4 });
});

test('a key may be quoted or bare: it is the same', async () => {
  const key = freshKey();
  const send = (header: string) =>
    ada.ask('POST', '/api/v1/tasks', { body: { title: 'quoted' }, headers: { 'idempotency-key': header } });
  const [bare, quoted] = [await send(key), await send(`"${key}"`)];
  expect(quoted.body).toEqual(bare.body);
});

test.each([
  ['another body', { body: { title: 'two' } }],
  ['another If-Match', { headers: { 'if-match': '"1"' } }],
])('a key with %s is refused', async (_what, change) => {
  const url = await task();
  const send = (extra: { body?: object; headers?: Record<string, string> }) =>
    ada.ask('PATCH', url, {
      body: extra.body ?? { title: 'one' },
      headers: { ...extra.headers, 'idempotency-key': key },
    });
  const key = freshKey();
  expect((await send({})).status).toBe(200);
  await expectNothingStored(product, async () => expectProblem(await send(change), 422, 'idempotency-key-reused'));
});

test('a key belongs to one person and one route', async () => {
  const key = freshKey();
  const headers = { 'idempotency-key': key };
  const bob = await product.person();
  const mine = await ada.ask('POST', '/api/v1/tasks', { body: { title: 'same' }, headers });
  const his = await bob.ask('POST', '/api/v1/tasks', { body: { title: 'same' }, headers });
  expect(his.headers).not.toHaveProperty('idempotency-replayed');
  expect(his.body.id).not.toBe(mine.body.id);
  expect((await ada.ask('POST', '/api/v1/categories', { body: { name: 'same' }, headers })).status).toBe(201);
  const other = await ada.ask('POST', `${await task()}/complete`, { headers });
  expect(other.status).toBe(200);
  expectProblem(await ada.ask('POST', `${await task()}/complete`, { headers }), 422, 'idempotency-key-reused');
});

test('a refusal is not remembered: the same request may succeed later', async () => {
  const url = await task();
  const key = freshKey();
  const reopen = () => ada.ask('POST', `${url}/reopen`, { headers: { 'idempotency-key': key } });
  expectProblem(await reopen(), 409, 'task-not-completed');
  await ada.ask('POST', `${url}/complete`);
  expect((await reopen()).status).toBe(200);
});

test.each(['', '""', 'a b', 'ü', 'x'.repeat(256), '"x y"', '\t'])('%j is no key', async (key) => {
  const body = { title: 'never' };
  await expectNothingStored(product, async () =>
    expectProblem(
      await ada.ask('POST', '/api/v1/tasks', { body, headers: { 'idempotency-key': key } }),
      400,
      'invalid-idempotency-key',
    ),
  );
});

test('logging in takes no key: each login is one of its own', async () => {
  const log = () =>
    product.ask('POST', '/api/v1/auth/login', {
      body: { email: ada.email, password: PASSWORD },
      headers: { 'idempotency-key': 'a b' },
    });
  const [one, two] = [await log(), await log()];
  expect([one.status, two.status]).toEqual([200, 200]);
  expect(two.body.sessionId).not.toBe(one.body.sessionId);
});

test('registering takes no key either: the second time the address is taken', async () => {
  const register = () =>
    product.ask('POST', '/api/v1/auth/register', {
      body: { email: 'once@example.org', username: 'once', password: PASSWORD },
      headers: { 'idempotency-key': 'k' },
    });
  expect((await register()).status).toBe(201);
  expectProblem(await register(), 409, 'email-taken');
});

describe('50 at the same moment', () => {
  const race = async (asks: readonly (typeof ada.ask)[]) => {
    const before = await countEvents(product);
    const key = freshKey();
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        (asks[n % asks.length] ?? ada.ask)('POST', '/api/v1/tasks', {
          body: { title: 'raced' },
          headers: { 'idempotency-key': key },
        }),
      ),
    );
    expect(await countEvents(product)).toBe(before + 1);
    const created = answers.filter(({ status }) => status === 201);
    expect(created.length).toBeGreaterThan(0);
    expect(new Set(created.map(({ body }) => body.id)).size).toBe(1);
    expect(created.filter(({ headers }) => headers['idempotency-replayed'] !== 'true')).toHaveLength(1);
    for (const answer of answers.filter(({ status }) => status !== 201)) {
      expectProblem(answer, 409, 'idempotency-in-flight');
      expect(answer.headers['retry-after']).toBe('1');
    }
  };

  test('in one process make exactly one task', () => race([ada.ask]));

  test('in two processes make exactly one task', async () => {
    const { config, secrets, database } = product;
    const twin = await buildApp(config, secrets, database.address, createLogger('silent'));
    const ask = asking(twin, ada.token);
    try {
      for (let round = 0; round < 10; round += 1) await race([ada.ask, ask]);
    } finally {
      await twin.close();
    }
  });
});
