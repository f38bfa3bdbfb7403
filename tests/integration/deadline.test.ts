/** A request whose time is over when its turn comes is not carried out. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { expectProblem } from '../support/expectations.ts';

let product: TestApp;
beforeAll(async () => {
  product = await startTestApp();
});
afterAll(() => product.close());

test('what comes too late is not begun, and what comes in time is', async () => {
  const ada = await product.person();
  const create = (headers: Record<string, string>) =>
    ada.ask('POST', '/api/v1/tasks', { body: { title: 'In time' }, headers });
  expectProblem(await create({ 'x-deadline-ms': '0' }), 503, 'unavailable');
  expect((await create({ 'x-deadline-ms': '10000' })).status).toBe(201);
  expect((await create({ 'x-deadline-ms': 'soon' })).status, 'what is no number says nothing').toBe(201);
  expect((await create({})).status).toBe(201);
  expect((await ada.ask('GET', '/api/v1/tasks')).body.items).toHaveLength(3);
});
