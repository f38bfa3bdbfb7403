/** The story of a new user, as the README tells it. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';

let product: TestApp;
beforeAll(async () => {
  product = await startTestApp();
});
afterAll(() => product.close());

test('somebody registers, logs in, makes a category, and carries a task through its life', async () => {
  const { ask, id } = await product.person('ada');
  const me = await ask('GET', '/api/v1/me');
  expect(me.body).toMatchObject({ id, email: 'ada@example.org', username: 'ada', version: 1 });

  const home = await ask('POST', '/api/v1/categories', { body: { name: 'Home', color: '#3366ff' } });
  expect(home.status).toBe(201);
  const created = await ask('POST', '/api/v1/tasks', { body: { title: 'Water the plants', categoryId: home.body.id } });
  expect(created.status).toBe(201);
  expect(created.headers.location).toBe(`/api/v1/tasks/${created.body.id}`);
  const url = `/api/v1/tasks/${created.body.id}`;
  expect((await ask('GET', url)).body).toEqual(created.body);

  const urgent = await ask('PATCH', url, { body: { priority: 'urgent' }, headers: { 'if-match': '"1"' } });
  expect(urgent.status).toBe(200);
  expect(urgent.headers.etag).toBe('"2"');
  const done = await ask('POST', `${url}/complete`);
  expect(done.body).toMatchObject({ status: 'completed', version: 3 });
  expect((await ask('POST', `${url}/complete`)).body.code).toBe('task-already-completed');

  const history = await ask('GET', `${url}/history`);
  expect(history.body.items.map((item: { type: string }) => item.type)).toEqual([
    'task.created',
    'task.updated',
    'task.completed',
  ]);
  expect(history.body.items[1].changes).toEqual({ priority: { from: 'medium', to: 'urgent' } });
  expect((await ask('GET', '/api/v1/tasks?q=wat+plant&status=completed')).body.items).toEqual([done.body]);
});
