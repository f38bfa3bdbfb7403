/** What somebody sees first, in the one process; behind a gateway it is asked for in tests/e2e/gateway.test.ts. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { expectProblem } from '../support/expectations.ts';
import { succeeded } from '../support/succeeded.ts';
import { until } from '../support/until.ts';

let product: TestApp;
beforeAll(async () => {
  product = await startTestApp();
});
afterAll(() => product.close());

test('it shows what all services know of whoever asks, and nothing of others', async () => {
  const [ada, bob] = [await product.person(), await product.person()];
  await succeeded(bob.ask('POST', '/api/v1/tasks', { body: { title: 'Not hers' } }));
  const create = (body: object) => succeeded(ada.ask('POST', '/api/v1/tasks', { body }));
  await create({ title: 'Late', due: { at: '2020-01-01T00:00:00Z' } });
  await create({ title: 'Later', due: { at: '2100-01-02T00:00:00Z' } });
  await create({ title: 'Soon', due: { at: '2100-01-01T00:00:00Z' }, priority: 'high' });
  await create({ title: 'Some day' });
  const { headers } = await create({ title: 'Done' });
  const done = await ada.ask('POST', `${headers.location}/complete`);
  const token = { 'consistency-token': String(done.headers['consistency-token']) };
  // A part that comes too late is missing; on a busy machine that is no fault.
  const { body } = await until('all parts to come in time', async () => {
    const answer = await ada.ask('GET', '/api/v1/dashboard', { headers: token });
    expect(answer.status).toBe(200);
    return answer.body.partial ? undefined : answer;
  });
  expect(body).toMatchObject({
    user: { id: ada.id },
    tasks: { open: 4, completed: 1, overdue: 1 },
    partial: false,
    missing: [],
  });
  expect(body.inbox.unread).toBeGreaterThan(0);
  expect(body.tasks.nextDue.map(({ title }: { title: string }) => title)).toEqual(['Late', 'Soon', 'Later']);
  expect(body.tasks.nextDue[1]).toMatchObject({ dueAt: '2100-01-01T00:00:00.000Z', priority: 'high' });
});

test('without anything it is empty, and without a token it is refused', async () => {
  const { ask } = await product.person();
  expect((await ask('GET', '/api/v1/dashboard')).body).toMatchObject({
    tasks: { open: 0, completed: 0, overdue: 0, nextDue: [] },
    partial: false,
  });
  expectProblem(await product.ask('GET', '/api/v1/dashboard'), 401, 'unauthenticated');
});

test('what is wrong with the request itself is no missing part', async () => {
  const { ask } = await product.person();
  const answer = await ask('GET', '/api/v1/dashboard', { headers: { 'consistency-token': 'made up' } });
  expectProblem(answer, 422, 'invalid-input');
  expect(answer.body).toMatchObject({
    instance: '/api/v1/dashboard',
    errors: [{ pointer: '/headers/consistency-token', code: 'not-a-token' }],
  });
});

test('a part whose service does not answer well is missing, and named', async () => {
  const { ask } = await product.person();
  await product.database.sql('alter table notification_service.inbox_list rename to inbox_away');
  try {
    expect((await ask('GET', '/api/v1/dashboard')).body).toMatchObject({
      tasks: { open: 0 },
      inbox: null,
      partial: true,
      missing: ['notification'],
    });
  } finally {
    await product.database.sql('alter table notification_service.inbox_away rename to inbox_list');
  }
});
