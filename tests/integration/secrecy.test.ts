/** Nothing that is somebody's own can be read where it need not be: not in the logs, not in the event tables. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildApp } from '../../src/app.ts';
import { createLogger } from '../../src/platform/telemetry/logger.ts';
import { type Ask, asking, startTestApp, type TestApp } from '../support/app.ts';
import { succeeded } from '../support/succeeded.ts';
import { until } from '../support/until.ts';

const PASSWORD = 'xyzzy plugh fee fie';
const SECRETS = {
  password: PASSWORD,
  email: 'carol.private@example.org',
  username: 'carol-private',
  displayName: 'Carol of the Private',
  title: 'buy a ring in private',
  description: 'the private one with the stone',
  changed: 'return the private ring',
  category: 'private matters',
  query: 'privatequery',
  stray: 'privatestray',
};

const TOLD = `select message_id as told from notification_service.dev_mailbox
  union all select title from notification_service.inbox_list`;
let product: TestApp;
const lines: string[] = [];
let token: string;
beforeAll(async () => {
  product = await startTestApp();
  const logger = createLogger('trace', { write: (line: string) => lines.push(line) });
  const app = await buildApp(product.config, product.secrets, product.database.address, logger);
  await app.start();
  const { email, username, title, description, changed, displayName, category, query, stray } = SECRETS;
  const ask: Ask = (method, url, options) => asking(app, token)(method, url, options);
  const done = async (...request: Parameters<Ask>) => (await succeeded(ask(...request))).body;
  const refused = async (status: number, ...request: Parameters<Ask>) =>
    expect((await ask(...request)).status, request.join(' ')).toBe(status);
  await done('POST', '/api/v1/auth/register', { body: { email, username, password: PASSWORD } });
  await refused(409, 'POST', '/api/v1/auth/register', { body: { email, username, password: PASSWORD } });
  await refused(401, 'POST', '/api/v1/auth/login', { body: { email, password: `${PASSWORD}!` } });
  token = (await done('POST', '/api/v1/auth/login', { body: { email, password: PASSWORD } })).accessToken;
  await done('PATCH', '/api/v1/me', { body: { displayName } });
  const { id: categoryId } = await done('POST', '/api/v1/categories', { body: { name: category } });
  const headers = { 'idempotency-key': 'k' };
  const { id } = await done('POST', '/api/v1/tasks', { body: { title, description, categoryId }, headers });
  await done('PATCH', `/api/v1/tasks/${id}`, { body: { title: changed } });
  await refused(422, 'GET', `/api/v1/tasks?q=${query}&sort=${stray}`);
  await done('GET', `/api/v1/tasks?q=${query}`);
  await refused(400, 'GET', `/${stray}/%ff?token=${stray}`);
  await refused(422, 'GET', `/api/v1/tasks/${stray}`);
  await refused(422, 'POST', '/api/v1/tasks', { body: { title: 1, [stray]: stray } });
  await refused(400, 'POST', '/api/v1/tasks', { raw: `{"title": ${stray}` });
  await refused(401, 'GET', '/api/v1/me', { token: `${token}x${stray}`, headers: { cookie: stray } });
  // Others hear of it: a mail goes out with the address, and an entry comes with the title.
  await done('POST', `/api/v1/tasks/${id}/complete`);
  await until('both to be told', async () => (await product.database.sql(TOLD)).length === 2);
  // Something breaks on our side, with values in hand.
  await product.database.sql(`alter table task_service.task_list add check (title <> '${changed}') not valid`);
  const broken = await ask('POST', '/api/v1/tasks', { body: { title: changed } });
  expect(broken.body.code).toBe('internal-error');
  await app.close();
});
afterAll(() => product.close());

const places = {
  'the logs': async () => lines.join('\n'),
  'the events of users': async () =>
    JSON.stringify(await product.database.sql('select e::text as event from user_service.event e')),
  'the events of tasks': async () =>
    JSON.stringify(await product.database.sql('select e::text as event from task_service.event e')),
  'the events of notifications': async () =>
    JSON.stringify(await product.database.sql('select e::text as event from notification_service.event e')),
  'the idempotency records': async () =>
    JSON.stringify(await product.database.sql('select i::text as record from task_service.idempotency i')),
};

test.each(Object.entries(places))('%s hold none of what is private', async (_what, read) => {
  const text = (await read()).toLowerCase();
  const found = Object.entries(SECRETS).filter(([, secret]) => text.includes(secret.toLowerCase()));
  expect(found).toEqual([]);
  expect(text).not.toContain(token.toLowerCase());
  expect(text).not.toContain(token.split('.')[2]?.toLowerCase());
});

test('there was something to look at', async () => {
  expect(lines.length).toBeGreaterThan(15);
  expect(lines.some((line) => JSON.parse(line).error)).toBe(true);
  expect((await places['the events of tasks']()).match(/\$sealed/g)?.length).toBeGreaterThan(4);
  expect(await places['the events of users']()).toContain('user.created');
  expect((await places['the events of notifications']()).match(/\$sealed/g)).toHaveLength(2);
  expect(await places['the idempotency records']()).toContain('POST /api/v1/tasks');
});

test('a hash of a password is tagged, and is none of the bare password', async () => {
  const [credential] = await product.database.sql<{ password_hash: string }>(
    'select password_hash from user_service.credential',
  );
  expect(credential?.password_hash).toMatch(/^bcrypt-hmac-sha384\$4\$[\w-]{8}\$\$2[aby]\$04\$/);
});
