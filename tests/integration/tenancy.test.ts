/** What is another's looks, to everybody else, exactly as if it were not there. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { expectNothingStored, expectProblem, timeless } from '../support/expectations.ts';
import { succeeded } from '../support/succeeded.ts';
import { until } from '../support/until.ts';

let product: TestApp;
let ada: Awaited<ReturnType<TestApp['person']>>;
let eve: Awaited<ReturnType<TestApp['person']>>;
let ids: { task: string; trashed: string; category: string; archived: string; entry: string };
beforeAll(async () => {
  product = await startTestApp();
  [ada, eve] = [await product.person('ada'), await product.person('eve')];
  const make = async (what: string, body: object) =>
    (await succeeded(ada.ask('POST', `/api/v1/${what}`, { body }))).body.id;
  const category = await make('categories', { name: 'secret plans' });
  const archived = await make('categories', { name: 'secret archive' });
  const task = await make('tasks', { title: 'secret errand', categoryId: category });
  const trashed = await make('tasks', { title: 'secret rubbish', categoryId: category });
  await succeeded(ada.ask('POST', `/api/v1/categories/${archived}/archive`));
  await succeeded(ada.ask('DELETE', `/api/v1/tasks/${trashed}`));
  const done = await make('tasks', { title: 'secret deed' });
  await succeeded(ada.ask('POST', `/api/v1/tasks/${done}/complete`));
  const entry = await until('ada to be told', async () => (await ada.ask('GET', '/api/v1/inbox')).body.items[0]?.id);
  ids = { task, trashed, category, archived, entry };
});
afterAll(() => product.close());

const ABSENT = '01939d5e-0000-7000-8000-00000000dead';
const CODES = { tasks: 'task-not-found', categories: 'category-not-found', inbox: 'entry-not-found' };
const ROUTES: readonly (readonly [method: string, of: keyof typeof CODES, rest?: string, body?: object])[] = [
  ['GET', 'tasks'],
  ['PATCH', 'tasks', '', { title: 'mine now' }],
  ['PATCH', 'tasks', '', {}],
  ['DELETE', 'tasks'],
  ['POST', 'tasks', '/complete'],
  ['POST', 'tasks', '/reopen'],
  ['POST', 'tasks', '/restore'],
  ['GET', 'tasks', '/history'],
  ['GET', 'categories'],
  ['PATCH', 'categories', '', { name: 'mine now' }],
  ['DELETE', 'categories'],
  ['DELETE', 'categories', '?tasks=trash'],
  ['DELETE', 'categories', '?tasks=uncategorize'],
  ['POST', 'categories', '/archive'],
  ['POST', 'categories', '/unarchive'],
  ['GET', 'inbox'],
  ['PATCH', 'inbox', '', { read: true }],
  ['PATCH', 'inbox', '', {}],
];
/** The mailbox shows everybody's mails to anybody; it exists where nobody but a developer is. */
const OPEN = '/api/v1/dev/mailbox/{id}';

test('every route of the API that takes an id stands in the table above', async () => {
  const { paths } = (await product.ask('GET', '/openapi.json')).body;
  const withId = Object.entries(paths).flatMap(([path, item]) =>
    path.includes('{id}') && path !== OPEN
      ? Object.keys(item as object).map((method) => `${method.toUpperCase()} ${path}`)
      : [],
  );
  const listed = ROUTES.map(([method, of, rest = '']) => `${method} /api/v1/${of}/{id}${rest.replace(/\?.*/, '')}`);
  expect(new Set(listed)).toEqual(new Set(withId));
});

const routes = ROUTES.map(([method, of, rest = '', body]) => ({ method, of, rest, body }));
describe.each(routes)('$method $of/{id}$rest', ({ method, of, rest, body }) => {
  test.each([
    {},
    { 'if-match': '"1"' },
    { 'if-match': '"99"' },
    { 'if-none-match': '"1"' },
  ])('answers for another’s as for none, with %j', async (headers) => {
    const ask = (id: string) => eve.ask(method, `/api/v1/${of}/${id}${rest}`, { headers, ...(body && { body }) });
    await expectNothingStored(product, async () => {
      const absent = await ask(ABSENT);
      expectProblem(absent, 404, CODES[of]);
      const all = { tasks: [ids.task, ids.trashed], categories: [ids.category, ids.archived], inbox: [ids.entry] };
      for (const id of all[of]) {
        const others = await ask(id);
        expectProblem(others, 404, absent.body.code);
        expect(timeless(others)).toEqual(timeless(absent));
        const { date: _at, 'x-request-id': _id, ...shown } = absent.headers;
        const length = Number(absent.headers['content-length']);
        expect(others.headers).toMatchObject({ ...shown, 'content-length': String(length) });
      }
    });
  });
});

test.each([
  'POST',
  'PATCH',
])('%s puts no task into another’s category, and does not tell it from none', async (method) => {
  const own = (await eve.ask('POST', '/api/v1/tasks', { body: { title: 'mine' } })).body.id;
  const url = method === 'POST' ? '/api/v1/tasks' : `/api/v1/tasks/${own}`;
  const put = (categoryId: string) => eve.ask(method, url, { body: { title: 'in', categoryId } });
  await expectNothingStored(product, async () => {
    const absent = await put(ABSENT);
    expectProblem(absent, 422, 'unknown-category');
    for (const id of [ids.category, ids.archived]) expect(timeless(await put(id))).toEqual(timeless(absent));
  });
});

test.each([
  '/api/v1/tasks?count=true',
  '/api/v1/tasks?count=true&q=secret',
  '/api/v1/tasks?count=true&status=open&sort=title',
  '/api/v1/tasks?count=true&overdue=false',
  '/api/v1/tasks/trash?count=true',
  '/api/v1/categories?count=true',
  '/api/v1/categories?count=true&status=archived',
  '/api/v1/inbox?count=true&status=all',
])('%s shows and counts nothing of another’s', async (url) => {
  const stranger = await product.person();
  expect((await stranger.ask('GET', url)).body).toEqual({ items: [], nextCursor: null, totalCount: 0 });
  expect((await ada.ask('GET', url)).body.totalCount).toBeGreaterThan(0);
});

test('filtering by another’s category is like filtering by none', async () => {
  const list = async (id: string) => (await eve.ask('GET', `/api/v1/tasks?count=true&categoryId=${id}`)).body;
  expect(await list(ids.category)).toEqual(await list(ABSENT));
  expect((await ada.ask('GET', `/api/v1/tasks?count=true&categoryId=${ids.category}`)).body.totalCount).toBe(1);
});
