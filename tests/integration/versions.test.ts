/** A version is what a client saw: ETag, If-None-Match, If-Match, and what a change that changes nothing does. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { expectNothingStored, expectProblem } from '../support/expectations.ts';
import { served } from '../support/served.ts';

let product: TestApp;
let ada: Awaited<ReturnType<TestApp['person']>>;
beforeAll(async () => {
  product = await startTestApp();
  ada = await product.person();
});
afterAll(() => product.close());

const create = async (body: object = { title: 'a task' }, what = 'tasks') =>
  `/api/v1/${what}/${(await ada.ask('POST', `/api/v1/${what}`, { body })).body.id}`;
const resources = [
  ['a task', () => create()],
  ['a category', () => create({ name: 'Home' }, 'categories')],
  ['a user', async () => '/api/v1/me'],
] as const;

describe.each(resources)('%s', (_what, make) => {
  test('carries its version as ETag, and is not sent again to who has it', async () => {
    const url = await make();
    const answer = await ada.ask('GET', url);
    const { etag } = answer.headers;
    expect(etag).toBe(`"${answer.body.version}"`);
    expect(answer.headers['cache-control']).toBe('private, no-cache');
    for (const known of [String(etag), `W/${etag}`, `"99", ${etag}`, '*']) {
      const again = await ada.ask('GET', url, { headers: { 'if-none-match': known } });
      expect([known, again.status, again.body, again.headers.etag]).toEqual([known, 304, '', etag]);
    }
    for (const other of ['"99"', 'rubbish', '', '"1 "']) {
      const full = await ada.ask('GET', url, { headers: { 'if-none-match': other } });
      expect([other, full.status]).toEqual([other, 200]);
    }
  });

  test('takes a change that changes nothing: 200, same ETag, nothing stored', async () => {
    const url = await make();
    const { version, id, ownerId, createdAt, updatedAt, ...rest } = (await ada.ask('GET', url)).body;
    const { email, status, dueAt, completedAt, deletedAt, ...same } = rest;
    await expectNothingStored(product, async () => {
      for (const body of [{}, same]) {
        const answer = await ada.ask('PATCH', url, { body, headers: { 'if-match': `"${version}"` } });
        expect(answer).toMatchObject({ status: 200, headers: { etag: `"${version}"` }, body: { version, updatedAt } });
      }
    });
  });

  test.each(['"0"', '"999999999"'])('is not changed by who insists on version %s', async (etag) => {
    const url = await make();
    await expectNothingStored(product, async () => {
      const answer = await ada.ask('PATCH', url, { body: {}, headers: { 'if-match': etag } });
      expectProblem(answer, 412, 'version-conflict');
      expect(answer.body.currentVersion).toBe((await ada.ask('GET', url)).body.version);
    });
  });

  test.each([
    '3',
    'W/"1"',
    '"1", "2"',
    '""',
    '"-1"',
    '"1e1"',
    'rubbish',
    '"9999999999999999999"',
    '"1"x',
  ])('takes no If-Match of %s', async (etag) => {
    const answer = await ada.ask('PATCH', await make(), { body: {}, headers: { 'if-match': etag } });
    expectProblem(answer, 400, 'invalid-if-match');
  });
});

test('who is late learns what happened since', async () => {
  const url = await create();
  await ada.ask('PATCH', url, { body: { priority: 'high' } });
  const completed = await ada.ask('POST', `${url}/complete`);
  const late = await ada.ask('PATCH', url, { body: { title: 'late' }, headers: { 'if-match': '"1"' } });
  expectProblem(late, 412, 'version-conflict');
  const entry = { actor: ada.id, at: expect.stringMatching(/Z$/), requestId: expect.any(String) };
  expect(late.body).toMatchObject({ expectedVersion: 1, currentVersion: 3 });
  expect(late.body.changesSince).toEqual([
    { ...entry, version: 2, type: 'task.updated', changes: { priority: { from: 'medium', to: 'high' } } },
    {
      ...entry,
      version: 3,
      type: 'task.completed',
      requestId: completed.headers['x-request-id'],
      changes: {
        status: { from: 'open', to: 'completed' },
        completedAt: { from: null, to: completed.body.completedAt },
      },
    },
  ]);
});

test('absent comes before stale, stale before refused', async () => {
  const url = await create();
  const stranger = await product.person();
  await ada.ask('POST', `${url}/complete`);
  const complete = (ask: typeof ada.ask, etag: string) =>
    ask('POST', `${url}/complete`, { headers: { 'if-match': etag } });
  expectProblem(await complete(stranger.ask, '"1"'), 404, 'task-not-found');
  expectProblem(await complete(ada.ask, '"1"'), 412, 'version-conflict');
  expectProblem(await complete(ada.ask, '"2"'), 409, 'task-already-completed');
  const intoNowhere = { categoryId: '01939d5e-0000-7000-8000-00000000dead' };
  const patch = (etag: string) => ada.ask('PATCH', url, { body: intoNowhere, headers: { 'if-match': etag } });
  expectProblem(await patch('"1"'), 412, 'version-conflict');
  expectProblem(await patch('"2"'), 422, 'unknown-category');
});

test('If-Match: * asks only that it is there', async () => {
  const headers = { 'if-match': '*' };
  expect((await ada.ask('PATCH', await create(), { body: { title: 'new' }, headers })).status).toBe(200);
  const absent = '/api/v1/tasks/01939d5e-0000-7000-8000-00000000dead';
  expectProblem(await ada.ask('PATCH', absent, { body: {}, headers }), 404, 'task-not-found');
});

describe('a merge patch', () => {
  const FULL = { title: 'full', description: 'words', priority: 'high', due: { at: '2030-01-01T00:00:00Z' } };

  test.each([
    'application/json',
    'application/merge-patch+json',
    'application/json; charset=utf-8',
  ])('sent as %s clears with null and leaves what it does not name', async (type) => {
    const url = await create(FULL);
    const body = { description: null, due: null };
    const answer = await ada.ask('PATCH', url, { body, headers: { 'content-type': type } });
    expect(answer).toMatchObject({ status: 200, body: { ...FULL, ...body, dueAt: null, version: 2 } });
  });

  test.each(['title', 'priority'])('cannot clear %s', async (field) => {
    const answer = await ada.ask('PATCH', await create(FULL), { body: { [field]: null } });
    expect(new Set(expectProblem(answer, 422, 'invalid-input'))).toEqual(new Set([`/${field}`]));
  });

  test('replaces one kind of due date by the other', async () => {
    const url = await create(FULL);
    const due = { date: '2030-03-31', zone: 'Europe/Berlin' };
    const answer = await ada.ask('PATCH', url, { body: { due } });
    expect(answer.body).toMatchObject({ due, dueAt: '2030-03-31T22:00:00.000Z' });
  });

  test('tells in the history what it changed, and only that', async () => {
    const url = await create(FULL);
    await ada.ask('PATCH', url, { body: { title: 'full', description: 'others' } });
    const { items } = (await ada.ask('GET', `${url}/history`)).body;
    expect(items[1].changes).toEqual({ description: { from: 'words', to: 'others' } });
    expect(items[0].changes).toMatchObject({ title: { from: null, to: 'full' } });
  });
});

test('64 writers that insist on one version: one gets it, all others are told', async () => {
  const url = await create();
  const answers = await Promise.all(
    Array.from({ length: 64 }, (_, n) =>
      served(() => ada.ask('PATCH', url, { body: { title: `by ${n}` }, headers: { 'if-match': '"1"' } })),
    ),
  );
  const statuses = answers.map(({ status }) => status);
  expect(statuses.filter((status) => status === 200)).toHaveLength(1);
  expect(statuses.filter((status) => status === 412)).toHaveLength(63);
  expect((await ada.ask('GET', url)).body.version).toBe(2);
});
