/** Every refusal is a problem document, its code is in a table, on a page, and in the OpenAPI of its route. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PLATFORM_PROBLEMS, type ProblemTable } from '../../src/platform/http/problems.ts';
import { inboxProblems, mailboxProblems } from '../../src/services/notification/http/problems.ts';
import { categoryProblems, taskProblems } from '../../src/services/task/http/problems.ts';
import { userProblems } from '../../src/services/user/http/problems.ts';
import { type Answer, type Ask, PASSWORD, startTestApp, type TestApp } from '../support/app.ts';
import { expectProblem } from '../support/expectations.ts';

const TABLE: ProblemTable = {
  ...PLATFORM_PROBLEMS,
  ...userProblems,
  ...taskProblems,
  ...categoryProblems,
  ...inboxProblems,
  ...mailboxProblems,
};
const ABSENT = '01939d5e-0000-7000-8000-00000000dead';

let product: TestApp;
let closed: TestApp;
let ada: Awaited<ReturnType<TestApp['person']>>;
let openapi: {
  paths: Record<string, Record<string, { responses: Record<string, { description: string; content?: object }> }>>;
};
beforeAll(async () => {
  product = await startTestApp();
  closed = await startTestApp({ AUTH_REGISTRATION: 'closed' });
  ada = await product.person('ada');
  openapi = (await product.ask('GET', '/openapi.json')).body;
});
afterAll(() => Promise.all([product.close(), closed.close()]));

const make = async (what: 'tasks' | 'categories', body: object) =>
  `/api/v1/${what}/${(await ada.ask('POST', `/api/v1/${what}`, { body })).body.id}`;
const task = () => make('tasks', { title: 'a task' });
const category = () => make('categories', { name: 'a category' });
const idOf = (url: string) => url.split('/').at(-1);
const register = (ask: Ask, fields: object) =>
  ask('POST', '/api/v1/auth/register', {
    body: { email: 'bob@example.org', username: 'bob', password: PASSWORD, ...fields },
  });
const twice = async (url: string) => {
  await ada.ask('POST', url);
  return ada.ask('POST', url);
};

/** How to be refused with each code: the method and the route as OpenAPI names it, and the way there. */
const REFUSALS: Record<string, readonly [route: string, provoke: () => Promise<Answer>]> = {
  'malformed-request': ['GET /api/v1/tasks/{id}', () => ada.ask('GET', '/api/v1/tasks/%ff')],
  'malformed-json': ['POST /api/v1/tasks', () => ada.ask('POST', '/api/v1/tasks', { raw: '{' })],
  'too-deep': ['POST /api/v1/tasks', () => ada.ask('POST', '/api/v1/tasks', { raw: '['.repeat(100) })],
  'body-required': ['POST /api/v1/tasks', () => ada.ask('POST', '/api/v1/tasks')],
  'body-too-large': ['POST /api/v1/tasks', () => ada.ask('POST', '/api/v1/tasks', { raw: ' '.repeat(300_000) })],
  'unsupported-media-type': [
    'POST /api/v1/tasks',
    () => ada.ask('POST', '/api/v1/tasks', { raw: 'x', headers: { 'content-type': 'text/plain' } }),
  ],
  'invalid-idempotency-key': [
    'POST /api/v1/tasks',
    () => ada.ask('POST', '/api/v1/tasks', { body: { title: 't' }, headers: { 'idempotency-key': 'a b' } }),
  ],
  'idempotency-key-reused': [
    'POST /api/v1/tasks',
    async () => {
      const headers = { 'idempotency-key': 'reused' };
      await ada.ask('POST', '/api/v1/tasks', { body: { title: 'one' }, headers });
      return ada.ask('POST', '/api/v1/tasks', { body: { title: 'two' }, headers });
    },
  ],
  'invalid-if-match': [
    'PATCH /api/v1/tasks/{id}',
    async () => ada.ask('PATCH', await task(), { body: {}, headers: { 'if-match': 'three' } }),
  ],
  'version-conflict': [
    'PATCH /api/v1/tasks/{id}',
    async () => ada.ask('PATCH', await task(), { body: {}, headers: { 'if-match': '"7"' } }),
  ],
  unauthenticated: ['GET /api/v1/me', () => product.ask('GET', '/api/v1/me')],
  'invalid-input': ['GET /api/v1/tasks', () => ada.ask('GET', '/api/v1/tasks?limit=0')],
  'cursor-mismatch': [
    'GET /api/v1/tasks',
    async () => {
      await Promise.all([task(), task()]);
      const { nextCursor } = (await ada.ask('GET', '/api/v1/tasks?limit=1')).body;
      return ada.ask('GET', `/api/v1/tasks?sort=title&cursor=${nextCursor}`);
    },
  ],
  'registration-closed': ['POST /api/v1/auth/register', () => register(closed.ask, {})],
  'weak-password': ['POST /api/v1/auth/register', () => register(product.ask, { password: 'short' })],
  'email-taken': ['POST /api/v1/auth/register', () => register(product.ask, { email: ada.email })],
  'username-taken': ['POST /api/v1/auth/register', () => register(product.ask, { username: 'ada' })],
  'invalid-credentials': [
    'POST /api/v1/auth/login',
    () => product.ask('POST', '/api/v1/auth/login', { body: { email: ada.email, password: 'wrong' } }),
  ],
  'user-not-found': [
    'GET /api/v1/me',
    async () => {
      const gone = await product.person();
      await product.database.sql('delete from user_service.user_profile where id = $1', [gone.id]);
      return gone.ask('GET', '/api/v1/me');
    },
  ],
  'task-not-found': ['GET /api/v1/tasks/{id}', () => ada.ask('GET', `/api/v1/tasks/${ABSENT}`)],
  'task-deleted': [
    'PATCH /api/v1/tasks/{id}',
    async () => {
      const url = await task();
      await ada.ask('DELETE', url);
      return ada.ask('PATCH', url, { body: { title: 'in the trash' } });
    },
  ],
  'task-not-deleted': ['POST /api/v1/tasks/{id}/restore', async () => ada.ask('POST', `${await task()}/restore`)],
  'task-already-completed': ['POST /api/v1/tasks/{id}/complete', async () => twice(`${await task()}/complete`)],
  'task-not-completed': ['POST /api/v1/tasks/{id}/reopen', async () => ada.ask('POST', `${await task()}/reopen`)],
  'unknown-category': [
    'POST /api/v1/tasks',
    () => ada.ask('POST', '/api/v1/tasks', { body: { title: 't', categoryId: ABSENT } }),
  ],
  'category-not-found': ['GET /api/v1/categories/{id}', () => ada.ask('GET', `/api/v1/categories/${ABSENT}`)],
  'category-archived': ['POST /api/v1/categories/{id}/archive', async () => twice(`${await category()}/archive`)],
  'category-not-archived': [
    'POST /api/v1/categories/{id}/unarchive',
    async () => ada.ask('POST', `${await category()}/unarchive`),
  ],
  'entry-not-found': ['GET /api/v1/inbox/{id}', () => ada.ask('GET', `/api/v1/inbox/${ABSENT}`)],
  'mail-not-found': ['GET /api/v1/dev/mailbox/{id}', () => product.ask('GET', `/api/v1/dev/mailbox/${ABSENT}`)],
  'category-not-empty': [
    'DELETE /api/v1/categories/{id}',
    async () => {
      const url = await category();
      await make('tasks', { title: 'inside', categoryId: idOf(url) });
      return ada.ask('DELETE', url);
    },
  ],
};

/** Refusals that belong to no route, that need a broken part (and are tested where it breaks), or a twice-made id. */
const NO_ROUTE = ['not-found', 'method-not-allowed', 'request-too-slow'];
const BEFORE_ANY_ROUTE = ['headers-too-large'];
const BROKEN = [
  'internal-error',
  'unavailable',
  'busy',
  'outcome-unknown',
  'projection-behind',
  'idempotency-in-flight',
];
/** See rate-limits.test.ts. */
const TOO_MANY = ['rate-limited'];
const SECOND_BIRTH = ['user-already-exists', 'task-already-exists', 'category-already-exists'];

test('each code of a table is provoked here, or stands among the few that no single request can provoke', () => {
  const single = [...Object.keys(REFUSALS), ...NO_ROUTE, ...BEFORE_ANY_ROUTE];
  const expected = [...single, ...BROKEN, ...TOO_MANY, ...SECOND_BIRTH];
  expect(Object.keys(TABLE).toSorted()).toEqual(expected.toSorted());
});

test.each(Object.entries(REFUSALS))('%s is answered as its table says, and declared by its route', async (code, [
  route,
  provoke,
]) => {
  const problem = TABLE[code];
  if (problem === undefined) throw new Error(`${code} is in no table`);
  const answer = await provoke();
  expectProblem(answer, problem.status, code);
  expect(answer.body).toMatchObject({ title: problem.title, detail: problem.detail });
  const [method = '', path = ''] = route.split(' ');
  const declared = openapi.paths[path]?.[method.toLowerCase()]?.responses[problem.status];
  expect(declared?.description).toContain(`\`${code}\``);
  expect(Object.keys(declared?.content ?? {})).toEqual(['application/problem+json']);
});

test.each(Object.keys(TABLE))('%s has a page that says what it means', async (code) => {
  const page = await product.ask('GET', `/problems/${code}`);
  expect(page.status).toBe(200);
  expect(page.headers['content-type']).toMatch(/^text\/html/);
  expect(page.body).toContain(TABLE[code]?.title);
  expect((await product.ask('GET', '/problems')).body).toContain(`/problems/${code}"`);
});

test('OpenAPI declares no code that no table has, and every code that a route may answer', () => {
  const operations = Object.values(openapi.paths).flatMap((path) => Object.values(path));
  const declared = operations.flatMap(({ responses }) =>
    Object.entries(responses).flatMap(([status, { description }]) =>
      [...description.matchAll(/^`([a-z-]+)`:/gm)].map(([, code = '']) => ({ status: Number(status), code })),
    ),
  );
  expect(declared.length).toBeGreaterThan(100);
  for (const { status, code } of declared) expect({ code, status: TABLE[code]?.status }).toEqual({ code, status });
  const codes = new Set(declared.map(({ code }) => code));
  const undeclared = Object.keys(TABLE).filter((code) => !codes.has(code));
  // A birth is never asked for with an id that exists, so no route promises that refusal.
  expect(undeclared.filter((code) => !SECOND_BIRTH.includes(code)).toSorted()).toEqual(NO_ROUTE.toSorted());
});

test.each(['nothing', 'constructor', '__proto__', 'toString'])('/problems/%s is no page', async (code) => {
  expectProblem(await product.ask('GET', `/problems/${code}`), 404, 'not-found');
});
