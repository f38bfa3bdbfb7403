/** Consistency-Token: every write says where what it told others lies, and any read may bring that along. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { publishedOf } from '../../src/platform/event-store/published.ts';
import { createConsistencyTokens } from '../../src/platform/http/consistency.ts';
import { type Answer, type Ask, PASSWORD, startTestApp, type TestApp } from '../support/app.ts';
import { expectProblem } from '../support/expectations.ts';
import { served } from '../support/served.ts';
import { until } from '../support/until.ts';

let product: TestApp;
let ada: Awaited<ReturnType<TestApp['person']>>;
beforeAll(async () => {
  product = await startTestApp();
  ada = await product.person();
});
afterAll(() => product.close());

const tokenOf = ({ headers }: Answer): string => String(headers['consistency-token']);
const read = (answer: Answer) => createConsistencyTokens(product.secrets.masterKey).read(tokenOf(answer));
const inOrder = <P extends { readonly lanes: readonly { readonly lane: number }[] } | undefined>(published: P) =>
  published && { ...published, lanes: published.lanes.toSorted((one, other) => one.lane - other.lane) };

/** Where the public events lie that a request wrote, as the store has them. */
const storedBy = async (answer: Answer, source: string) => {
  const rows = await product.database.sql(
    `select topic, lane, era, tx::text, position::int from ${source}_service.event where metadata ->> 'requestId' = $1`,
    [answer.headers['x-request-id']],
  );
  const places = rows.map(({ topic, lane, era, tx, position }) => ({ topic, lane, at: { era, tx, position } }));
  return inOrder(publishedOf(places));
};
const expectPlaces = async (answer: Answer, source: string, of = answer): Promise<void> => {
  expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
  const stored = await storedBy(of, source);
  expect(stored, 'the control: something was published').toBeDefined();
  expect(read(answer).map(inOrder)).toEqual([{ source, ...stored }]);
};

const create = async (what: 'tasks' | 'categories', body: object) =>
  `/api/v1/${what}/${(await ada.ask('POST', `/api/v1/${what}`, { body })).body.id}`;
const task = (more: object = {}) => create('tasks', { title: 'a task', ...more });
const category = () => create('categories', { name: 'a category' });

type Write = { readonly method: string; readonly url: string; readonly body?: object };
const WRITES: Record<string, { readonly source: string; readonly write: () => Promise<Write> }> = {
  'creating a task': {
    source: 'task',
    write: async () => ({ method: 'POST', url: '/api/v1/tasks', body: { title: 'new' } }),
  },
  'changing a task': {
    source: 'task',
    write: async () => ({ method: 'PATCH', url: await task(), body: { title: 'x' } }),
  },
  'completing a task': { source: 'task', write: async () => ({ method: 'POST', url: `${await task()}/complete` }) },
  'deleting a task': { source: 'task', write: async () => ({ method: 'DELETE', url: await task() }) },
  'archiving a category': {
    source: 'task',
    write: async () => ({ method: 'POST', url: `${await category()}/archive` }),
  },
  'deleting a category and what is in it': {
    source: 'task',
    write: async () => {
      const url = await category();
      for (let n = 0; n < 5; n += 1) await task({ categoryId: url.split('/').at(-1) });
      return { method: 'DELETE', url: `${url}?tasks=trash` };
    },
  },
  'marking an entry': {
    source: 'notification',
    write: async () => ({ method: 'PATCH', url: await entry(), body: { read: true } }),
  },
  'reading all entries': {
    source: 'notification',
    write: async () => {
      await entry();
      return { method: 'POST', url: '/api/v1/inbox/read-all' };
    },
  },
  'changing a user': {
    source: 'user',
    write: async () => ({ method: 'PATCH', url: '/api/v1/me', body: { displayName: `Ada ${Math.random()}` } }),
  },
};

/** An entry of the inbox, which comes by itself. */
const entry = async () => {
  const count = async () => (await ada.ask('GET', '/api/v1/inbox/unread-count')).body.count;
  const before = await count();
  await ada.ask('POST', `${await task()}/complete`);
  await until('ada to be told', async () => (await count()) > before);
  return `/api/v1/inbox/${(await ada.ask('GET', '/api/v1/inbox')).body.items[0].id}`;
};

describe.each(Object.entries(WRITES))('%s', (what, { source, write }) => {
  test('answers where its events lie, and the same when it is repeated under its key', async () => {
    const { method, url, body } = await write();
    const send = () => ada.ask(method, url, { body, headers: { 'idempotency-key': what.replaceAll(' ', '-') } });
    const first = await send();
    await expectPlaces(first, source);
    const again = await send();
    expect(again.headers['idempotency-replayed']).toBe('true');
    await expectPlaces(again, source, first);
  });
});

test('so do a registration and a login', async () => {
  const email = 'bob@example.org';
  const body = { email, username: 'bob', password: PASSWORD };
  await expectPlaces(await product.ask('POST', '/api/v1/auth/register', { body }), 'user');
  await expectPlaces(await product.ask('POST', '/api/v1/auth/login', { body: { email, password: PASSWORD } }), 'user');
});

test('a write that takes several commits answers where the events of all of them lie', async () => {
  const url = await category();
  const categoryId = url.split('/').at(-1);
  for (let n = 0; n < 105; n += 1) await task({ categoryId });
  const answer = await ada.ask('DELETE', `${url}?tasks=uncategorize`);
  await expectPlaces(answer, 'task');
  const [row] = await product.database.sql(
    `select count(distinct tx)::int as commits from task_service.event where metadata ->> 'requestId' = $1`,
    [answer.headers['x-request-id']],
  );
  expect(row).toEqual({ commits: 2 });
  expect(tokenOf(answer).length).toBeLessThan(2_600);
});

test('one that changes nothing answers the token of whoever made it so', async () => {
  const url = await task();
  const change = await ada.ask('PATCH', url, { body: { title: 'so' } });
  await expectPlaces(await ada.ask('PATCH', url, { body: { title: 'so' } }), 'task', change);
  const headers = { 'idempotency-key': 'nothing' };
  for (const _ of ['first', 'repeated']) {
    await expectPlaces(await ada.ask('PATCH', url, { body: { title: 'so' }, headers }), 'task', change);
  }
});

test('a refused one answers none', async () => {
  const url = await task();
  await ada.ask('POST', `${url}/complete`);
  const refused = await ada.ask('POST', `${url}/complete`);
  expect([refused.status, refused.headers]).toEqual([
    409,
    expect.not.objectContaining({ 'consistency-token': expect.anything() }),
  ]);
});

describe('a read', () => {
  test('that brings a token of its own service is answered at once', async () => {
    const began = performance.now();
    for (let n = 0; n < 20; n += 1) {
      const title = `own ${n}`;
      const made = await ada.ask('POST', '/api/v1/tasks', { body: { title } });
      const headers = { 'consistency-token': tokenOf(made) };
      const listed = await ada.ask('GET', '/api/v1/tasks?limit=1', { headers });
      expect(listed.body.items).toMatchObject([{ title }]);
    }
    expect(performance.now() - began, 'nobody waited 2 s').toBeLessThan(20 * 2_000);
  });

  test('may bring several, of several services, and of a service that nobody here hears', async () => {
    const made = await ada.ask('POST', '/api/v1/tasks', { body: { title: 'one' } });
    const changed = await ada.ask('PATCH', '/api/v1/me', { body: { displayName: 'Several' } });
    const headers = { 'consistency-token': `${tokenOf(made)}, ${tokenOf(changed)},${tokenOf(made)}` };
    for (const url of ['/api/v1/me', '/api/v1/tasks', '/api/v1/categories']) {
      for (const method of ['GET', 'HEAD']) expect((await ada.ask(method, url, { headers })).status).toBe(200);
    }
  });

  const flip = (token: string, at: number) =>
    `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`;
  const bad: Record<string, (token: string, ask: Ask) => string | Promise<string>> = {
    'is empty': () => '',
    'is rubbish': () => 'rubbish',
    'is no base64': () => '§$%&/()=?',
    'is a cursor': async (_token, ask) => (await ask('GET', '/api/v1/tasks?limit=1')).body.nextCursor,
    'was cut off': (token) => token.slice(0, -4),
    'lost its beginning': (token) => token.slice(4),
    'was changed in its nonce': (token) => flip(token, 2),
    'was changed in its text': (token) => flip(token, 40),
    'was changed in its seal': (token) => flip(token, token.length - 6),
    'was sealed elsewhere': (token) =>
      createConsistencyTokens('the secret of another installation').write(
        createConsistencyTokens(product.secrets.masterKey).read(token)[0] ?? { source: '', first: NOWHERE, lanes: [] },
      ),
    'stands behind a good one': (token) => `${token}, rubbish`,
    'is followed by nothing': (token) => `${token},`,
    'is repeated beyond 8,000 characters': (token) => Array.from({ length: 80 }, () => token).join(','),
    'is huge': () => 'A'.repeat(8_001),
  };
  const NOWHERE = { era: 0, tx: '0', position: 0 };
  test.each(Object.entries(bad))('with a token that %s is refused, wherever it is sent', async (_how, spoil) => {
    await Promise.all([task(), task()]);
    const token = tokenOf(await ada.ask('POST', '/api/v1/tasks', { body: { title: 'spoilt' } }));
    const headers = { 'consistency-token': await spoil(token, ada.ask) };
    for (const url of ['/api/v1/me', '/api/v1/tasks', `${await task()}`]) {
      const answer = await ada.ask('GET', url, { headers });
      expect(expectProblem(answer, 422, 'invalid-input')).toEqual(['/headers/consistency-token']);
      expect(answer.body.errors).toMatchObject([{ code: 'not-a-token' }]);
    }
    expect((await ada.ask('HEAD', '/api/v1/me', { headers })).status).toBe(422);
    expect((await product.ask('GET', '/api/v1/me', { headers })).status, 'who asks comes first').toBe(401);
    expect((await ada.ask('POST', '/api/v1/tasks', { body: { title: 'a write does not wait' }, headers })).status).toBe(
      201,
    );
  });

  test('learns nothing from a token', async () => {
    const made = await ada.ask('POST', '/api/v1/tasks', { body: { title: 'secret' } });
    const bytes = Buffer.from(tokenOf(made), 'base64url').toString('latin1');
    for (const word of ['task', 'events', made.body.id, ada.id]) expect(bytes).not.toContain(word);
    expect(tokenOf(made).length).toBeLessThan(200);
  });
});

describe('the inbox, which another service keeps', () => {
  const complete = async (): Promise<{ readonly id: string; readonly token: string }> => {
    const url = await task();
    const completed = await ada.ask('POST', `${url}/complete`);
    return { id: completed.body.id, token: tokenOf(completed) };
  };
  const inbox = (headers: Record<string, string> = {}) => ada.ask('GET', '/api/v1/inbox?limit=5', { headers });
  const tells = ({ body }: Answer, id: string): boolean =>
    body.items.some(({ about }: { readonly about: { readonly id: string } }) => about.id === id);
  /** Keeps the service from committing what it hears; what it has can be read. */
  const holdUp = async (): Promise<() => Promise<unknown>> => {
    await product.database.sql('begin');
    await product.database.sql('lock table notification_service.consumer_lane in share mode');
    return () => product.database.sql('rollback');
  };

  test('shows what was just done, 50 times in a row, to who brings the token', async () => {
    let missed = 0;
    for (let n = 0; n < 50; n += 1) {
      const { id, token } = await complete();
      if (!tells(await served(() => inbox({ 'consistency-token': token })), id)) missed += 1;
    }
    expect(missed).toBe(0);
  });

  test('is waited for while it is held up, where without the token the entry is missed', async () => {
    const goOn = await holdUp();
    const { id, token } = await complete();
    const waiting = inbox({ 'consistency-token': token });
    await pause(300);
    expect(tells(await inbox(), id), 'the control: it is not there yet').toBe(false);
    await goOn();
    expect(tells(await waiting, id)).toBe(true);
  });

  test('is waited for 2 s; what is the service’s own, and other services, are answered meanwhile', async () => {
    const goOn = await holdUp();
    try {
      const { token } = await complete();
      const headers = { 'consistency-token': token };
      const began = performance.now();
      const waiting = inbox(headers);
      for (const url of ['/api/v1/tasks', '/api/v1/me'])
        expect((await ada.ask('GET', url, { headers })).status).toBe(200);
      const meanwhile = performance.now() - began;
      const answer = await waiting;
      const after = performance.now() - began;
      expectProblem(answer, 503, 'projection-behind');
      expect(answer.headers['retry-after']).toBe('1');
      expect(after).toBeGreaterThan(1_800);
      expect(after).toBeLessThan(4_000);
      expect(meanwhile).toBeLessThan(1_800);
    } finally {
      await goOn();
    }
  });

  test('shows to whom has just registered that they are known there', async () => {
    const body = { email: 'eve@example.org', username: 'eve', password: PASSWORD };
    const registered = await product.ask('POST', '/api/v1/auth/register', { body });
    const login = await product.ask('POST', '/api/v1/auth/login', { body: { email: body.email, password: PASSWORD } });
    const headers = { 'consistency-token': `${tokenOf(registered)}, ${tokenOf(login)}` };
    const { accessToken: token } = login.body;
    const answer = await served(() => product.ask('GET', '/api/v1/inbox', { headers, token }));
    expect(answer.status).toBe(200);
    const known = await product.database.sql('select 1 from notification_service.person where id = $1', [
      registered.body.id,
    ]);
    expect(known).toHaveLength(1);
  });
});

test('OpenAPI says so: each write answers one, each read takes one and may find that it is behind', async () => {
  const { paths } = (await product.ask('GET', '/openapi.json')).body;
  const operations = Object.entries<Record<string, Operation>>(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ path, method, ...operation })),
  );
  expect(operations.length).toBeGreaterThan(15);
  for (const { path, method, parameters = [], responses } of operations) {
    const where = `${method} ${path}`;
    const takes = parameters.some(({ name, in: place }) => name === 'consistency-token' && place === 'header');
    expect([where, takes]).toEqual([where, method === 'get']);
    const behind = responses['503']?.description.includes('`projection-behind`');
    expect([where, behind]).toEqual([where, method === 'get']);
    for (const [status, { headers }] of Object.entries(responses)) {
      const answers = headers !== undefined && 'consistency-token' in headers;
      expect([where, status, answers]).toEqual([where, status, method !== 'get' && status.startsWith('2')]);
    }
  }
});
type Operation = {
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly responses: Readonly<Record<string, { readonly description: string; readonly headers?: object }>>;
};
