/** An address, a query, a cursor or a header that cannot be what it should gets a 4xx problem, never a 5xx. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { expectNothingStored, expectProblem } from '../support/expectations.ts';
import { succeeded } from '../support/succeeded.ts';

let product: TestApp;
let ada: Awaited<ReturnType<TestApp['person']>>;
beforeAll(async () => {
  product = await startTestApp();
  ada = await product.person();
  for (const title of ['one', 'two', 'three']) await ada.ask('POST', '/api/v1/tasks', { body: { title } });
  for (const name of ['one', 'two', 'three']) await ada.ask('POST', '/api/v1/categories', { body: { name } });
});
afterAll(() => product.close());

const QUERIES: readonly (readonly [query: string, pointer: string])[] = [
  ['limit=0', '/query/limit'],
  ['limit=-1', '/query/limit'],
  ['limit=201', '/query/limit'],
  ['limit=1.5', '/query/limit'],
  ['limit=99999999999999999999999', '/query/limit'],
  ['limit=1e400', '/query/limit'],
  ['limit=ten', '/query/limit'],
  ['limit=', '/query/limit'],
  ['limit=NaN', '/query/limit'],
  ['limit=1&limit=2', '/query/limit'],
  ['count=maybe', '/query/count'],
  ['count=true&count=false', '/query/count'],
  ['sort=name', '/query/sort'],
  ['sort=constructor', '/query/sort'],
  ['sort=--title', '/query/sort'],
  ['sort=title;drop%20table%20task_list', '/query/sort'],
  ['sort=title&sort=dueAt', '/query/sort'],
  ['status=done', '/query/status'],
  ['status=open&status=completed', '/query/status'],
  ['priority=highest', '/query/priority/0'],
  ['priority=low&priority=top', '/query/priority/1'],
  ['priority=low&priority=low&priority=low&priority=low&priority=low', '/query/priority'],
  ['priority=', '/query/priority/0'],
  ['categoryId=home', '/query/categoryId'],
  ['categoryId=01939D5E-0000-7000-8000-00000000DEAD', '/query/categoryId'],
  ['dueBefore=tomorrow', '/query/dueBefore'],
  ['dueBefore=2030-02-30T00:00:00Z', '/query/dueBefore'],
  ['dueBefore=2030-01-01', '/query/dueBefore'],
  ['dueBefore=-infinity', '/query/dueBefore'],
  ['dueAfter=2030-01-01T00:00:00%2B02:00', '/query/dueAfter'],
  ['overdue=perhaps', '/query/overdue'],
  ['q=', '/query/q'],
  [`q=${'x'.repeat(201)}`, '/query/q'],
  ['q=a&q=b', '/query/q'],
  ['q[]=a', '/query/q[]'],
  ['q[a]=b', '/query/q[a]'],
  ['unknown=1', '/query/unknown'],
  ['__proto__=1', '/query/__proto__'],
  ['constructor=1', '/query/constructor'],
  ['q=a%00b', '/query/q'],
  ['cursor=', '/query/cursor'],
  ['cursor=rubbish', '/query/cursor'],
  ['cursor=%00', '/query/cursor'],
  [`cursor=${'A'.repeat(1_000)}`, '/query/cursor'],
  [`cursor=${'A'.repeat(5_000)}`, '/query/cursor'],
  [Array.from({ length: 1_000 }, (_, n) => `a${n}=${n}`).join('&'), '/query/a0'],
];
test.each(
  QUERIES.map(([query, pointer]) => [query.slice(0, 60), pointer, query] as const),
)('/tasks?%s is 422 at %s', async (_shown, pointer, query) => {
  expect(expectProblem(await ada.ask('GET', `/api/v1/tasks?${query}`), 422, 'invalid-input')).toContain(pointer);
});

test.each(['%ff', '%ed%a0%80', '%e2%82', '%', '%zz'])('/tasks?q=%s cannot be decoded, which is 400', async (q) => {
  expectProblem(await ada.ask('GET', `/api/v1/tasks?q=${q}`), 400, 'malformed-request');
  expectProblem(await ada.ask('GET', `/api/v1/tasks?${q}=q`), 400, 'malformed-request');
});

const ABSENT = '01939d5e-0000-7000-8000-00000000dead';
test.each<[what: string, id: string, status: number, code: string]>([
  ['no UUID', 'first', 422, 'invalid-input'],
  ['upper case', ABSENT.toUpperCase(), 422, 'invalid-input'],
  ['a URN', `urn:uuid:${ABSENT}`, 422, 'invalid-input'],
  ['braces', `%7B${ABSENT}%7D`, 422, 'invalid-input'],
  ['no hyphens', ABSENT.replaceAll('-', ''), 422, 'invalid-input'],
  ['a space after it', `${ABSENT}%20`, 422, 'invalid-input'],
  ['a NUL after it', `${ABSENT}%00`, 422, 'invalid-input'],
  ['a line break after it', `${ABSENT}%0a`, 422, 'invalid-input'],
  ['an encoded slash', '..%2F..%2Fme', 422, 'invalid-input'],
  ['SQL', "1'%20or%20'1'='1", 422, 'invalid-input'],
  ['half a surrogate pair', '%ed%a0%80', 400, 'malformed-request'],
  ['a byte that is no UTF-8', '%ff', 400, 'malformed-request'],
  ['a sign alone', '%', 400, 'malformed-request'],
  ['4,000 letters', 'a'.repeat(4_000), 422, 'invalid-input'],
  ['nobody', ABSENT, 404, ''],
])('an id of %s is refused by every route that takes one', async (_what, id, status, code) => {
  await expectNothingStored(product, async () => {
    for (const [method, path] of [
      ['GET', `tasks/${id}`],
      ['PATCH', `tasks/${id}`],
      ['DELETE', `tasks/${id}`],
      ['POST', `tasks/${id}/complete`],
      ['POST', `tasks/${id}/reopen`],
      ['POST', `tasks/${id}/restore`],
      ['GET', `tasks/${id}/history`],
      ['GET', `categories/${id}`],
      ['PATCH', `categories/${id}`],
      ['DELETE', `categories/${id}`],
      ['POST', `categories/${id}/archive`],
      ['POST', `categories/${id}/unarchive`],
    ] as const) {
      const answer = await ada.ask(method, `/api/v1/${path}`, method === 'PATCH' ? { body: {} } : {});
      const absent = path.startsWith('tasks') ? 'task-not-found' : 'category-not-found';
      const pointers = expectProblem(answer, status, code || absent);
      expect([method, path, pointers]).toEqual([method, path, status === 422 ? ['/path/id'] : []]);
    }
  });
});

describe('a cursor', () => {
  const cursorOf = async (url: string, ask = ada.ask) => String((await ask('GET', url)).body.nextCursor);
  const follow = (url: string, cursor: string, ask = ada.ask) =>
    ask('GET', `${url}${url.includes('?') ? '&' : '?'}cursor=${cursor}`);

  test.each<[what: string, of: string, to: string]>([
    ['another list', '/api/v1/tasks?limit=1', '/api/v1/categories'],
    ['the trash', '/api/v1/tasks?limit=1', '/api/v1/tasks/trash'],
    ['another filter', '/api/v1/tasks?limit=1', '/api/v1/tasks?status=open'],
    ['no filter', '/api/v1/tasks?limit=1&status=open', '/api/v1/tasks'],
    ['another order', '/api/v1/tasks?limit=1', '/api/v1/tasks?sort=title'],
    ['the order turned', '/api/v1/tasks?limit=1&sort=title', '/api/v1/tasks?sort=-title'],
    ['tasks', '/api/v1/categories?limit=1', '/api/v1/tasks'],
    ['another filter of categories', '/api/v1/categories?limit=1', '/api/v1/categories?status=active'],
  ])('does not lead into %s', async (_what, of, to) => {
    expectProblem(await follow(to, await cursorOf(of)), 422, 'cursor-mismatch');
  });

  test('does not lead into the list of somebody else', async () => {
    const bob = await product.person();
    expectProblem(
      await follow('/api/v1/tasks', await cursorOf('/api/v1/tasks?limit=1'), bob.ask),
      422,
      'cursor-mismatch',
    );
  });

  test('of one history does not lead into another', async () => {
    const [one, two] = (await ada.ask('GET', '/api/v1/tasks')).body.items;
    for (const { id } of [one, two]) await ada.ask('POST', `/api/v1/tasks/${id}/complete`);
    const cursor = await cursorOf(`/api/v1/tasks/${one.id}/history?limit=1`);
    expect((await follow(`/api/v1/tasks/${one.id}/history`, cursor)).body.items).toMatchObject([{ version: 2 }]);
    expectProblem(await follow(`/api/v1/tasks/${two.id}/history`, cursor), 422, 'cursor-mismatch');
  });

  test('goes on with another limit or count, and with the same filters in another order', async () => {
    for (const title of ['four', 'five']) await ada.ask('POST', '/api/v1/tasks', { body: { title } });
    const cursor = await cursorOf('/api/v1/tasks?limit=1&status=open&priority=medium');
    const answer = await follow('/api/v1/tasks?priority=medium&status=open&limit=2&count=true', cursor);
    expect(answer.status).toBe(200);
  });

  test('that was tampered with is none', async () => {
    const cursor = await cursorOf('/api/v1/tasks?limit=1');
    const flipped = `${cursor[0] === 'A' ? 'B' : 'A'}${cursor.slice(1)}`;
    for (const wrong of [flipped, cursor.slice(0, -4), cursor.slice(4), `${cursor}AAAA`, cursor.slice(0, 20)]) {
      const answer = await follow('/api/v1/tasks', wrong);
      expect(expectProblem(answer, 422, 'invalid-input')).toEqual(['/query/cursor']);
    }
  });

  test('shows nothing of what it carries', async () => {
    await succeeded(ada.ask('POST', '/api/v1/tasks', { body: { title: 'aardvark' } }));
    const cursor = await cursorOf('/api/v1/tasks?limit=1&sort=title');
    expect(Buffer.from(cursor, 'base64url').toString('latin1')).not.toContain('aardvark');
  });
});

test.each<[header: string, value: string]>([
  ['accept', 'text/html;q=rubbish'],
  ['accept-encoding', '\u00ff'],
  ['cookie', 'x'.repeat(8_000)],
  ['if-none-match', '"'.repeat(1_000)],
  ['traceparent', '00-zz'],
  ['x-forwarded-for', "'; drop table event; --"],
  ['host', 'evil.example'],
  ['content-length', '0'],
  ['range', 'bytes=0-1'],
])('a header %s of rubbish is passed over', async (header, value) => {
  const answer = await ada.ask('GET', '/api/v1/me', { headers: { [header]: value } });
  expect(answer.status).toBe(200);
  expect(answer.body.id).toBe(ada.id);
});
