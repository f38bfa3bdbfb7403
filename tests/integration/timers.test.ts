/** What time does to tasks with nobody asking: a reminder and the telling that one is overdue, each once. */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type App, buildApp } from '../../src/app.ts';
import { createLogger } from '../../src/platform/telemetry/logger.ts';
import { type Ask, startTestApp, type TestApp } from '../support/app.ts';
import { succeeded } from '../support/succeeded.ts';
import { until } from '../support/until.ts';

const DAY = 86_400_000;
const inMs = (ms: number): string => new Date(Date.now() + ms).toISOString();
const create = async (ask: Ask, title: string, dueAt: string) =>
  (await succeeded(ask('POST', '/api/v1/tasks', { body: { title, due: { at: dueAt } } }))).body;
const url = ({ id }: { readonly id: string }) => `/api/v1/tasks/${id}`;
/** What time has told of a task so far. */
const told = async ({ database }: TestApp, { id }: { readonly id: string }) =>
  database.sql(
    `select type, data, metadata ->> 'actor' as actor from task_service.event
     where stream = $1 and type in ('task.reminder_due', 'task.overdue') order by version`,
    [`task-${id}`],
  );
const anotherProcess = async ({ config, secrets, database }: TestApp): Promise<App> => {
  const app = await buildApp(config, secrets, database.address, createLogger('silent'));
  await app.start();
  return app;
};

describe('two processes wait for what is due', () => {
  let product: TestApp;
  let twin: App;
  let ada: Awaited<ReturnType<TestApp['person']>>;
  beforeAll(async () => {
    product = await startTestApp();
    twin = await anotherProcess(product);
    ada = await product.person('ada');
  });
  afterAll(async () => {
    await twin.close();
    await product.close();
  });

  test('a task is reminded of a day before it is due, and told to be overdue when it is, each once', async () => {
    // Not before the requests that follow are over.
    const tomorrow = await create(ada.ask, 'tomorrow', inMs(DAY + 4_000));
    const soon = await create(ada.ask, 'soon', inMs(4_000));
    const done = await create(ada.ask, 'done before', inMs(4_000));
    await succeeded(ada.ask('POST', `${url(done)}/complete`));
    expect([await told(product, tomorrow), await told(product, soon)]).toEqual([[], []]);

    await until('both to be told', async () => {
      const [one, other] = [await told(product, tomorrow), await told(product, soon)];
      return one.length > 0 && other.length > 0;
    });
    await sleep(1_200); // as long as an idle worker takes to look again
    const { dueAt } = tomorrow;
    expect(await told(product, tomorrow)).toEqual([
      { type: 'task.reminder_due', data: { dueAt }, actor: 'task-service' },
    ]);
    expect(await told(product, soon)).toEqual([
      { type: 'task.overdue', data: { dueAt: soon.dueAt }, actor: 'task-service' },
    ]);
    expect(await told(product, done)).toEqual([]);
  });

  test('people see it in the history; the task is as they left it, at a new version', async () => {
    const task = await create(ada.ask, 'late', inMs(-1_000));
    await until('it to be overdue', async () => (await told(product, task)).length > 0);
    const seen = await ada.ask('GET', url(task));
    expect(seen.body).toEqual({ ...task, version: 2 });
    expect(seen.headers.etag).toBe('"2"');
    const { items } = (await ada.ask('GET', `${url(task)}/history`)).body;
    expect(items[1]).toMatchObject({ type: 'task.overdue', actor: 'task-service', changes: {} });
    expect(items[1].requestId, 'as part of the request that set it').toBe(items[0].requestId);
  });

  test('a new due instant replaces the first: only the new one is reported', async () => {
    const first = Date.now() + 4_000;
    const task = await create(ada.ask, 'moved', new Date(first).toISOString());
    const moved = await ada.ask('PATCH', url(task), { body: { due: { at: inMs(700) } } });
    await until('it to be overdue', async () => (await told(product, task)).length > 0);
    await sleep(Math.max(0, first - Date.now()) + 1_200); // until the first is over, and a worker has looked again
    expect(await told(product, task)).toMatchObject([{ data: { dueAt: moved.body.dueAt } }]);
  });

  test('once all was reported, neither a schedule row nor a lease is left', async () => {
    const { sql } = product.database;
    expect(await sql('select id from task_service.schedule where due_at < now()')).toEqual([]);
    expect(await sql('select id from task_service.lease')).toEqual([]);
  });
});

test('what was due while no process was there is told when one comes, and not again by the next', async () => {
  const product = await startTestApp();
  const ada = await product.person('ada');
  const missed = await create(ada.ask, 'missed', inMs(3_000));
  await product.app.close();
  await sleep(3_200);
  expect(await told(product, missed)).toEqual([]);
  for (const _start of ['first', 'second']) {
    const app = await anotherProcess(product);
    await until('it to be told', async () => (await told(product, missed)).length > 0);
    await sleep(300);
    await app.close();
    expect(await told(product, missed)).toMatchObject([{ type: 'task.overdue', data: { dueAt: missed.dueAt } }]);
  }
  await product.close();
});

test('tasks from before there were timers are waited for too, but for those that were overdue already', async () => {
  const product = await startTestApp();
  const { ask } = await product.person('ada');
  const open = await create(ask, 'in three days', inMs(3 * DAY));
  const soon = await create(ask, 'in an hour', inMs(3_600_000));
  const over = await create(ask, 'yesterday', inMs(-DAY));
  const done = await create(ask, 'done', inMs(3 * DAY));
  const thrown = await create(ask, 'thrown away', inMs(3 * DAY));
  await succeeded(ask('POST', `${url(done)}/complete`));
  await succeeded(ask('DELETE', url(thrown)));
  await product.database.sql('set search_path = task_service; truncate schedule');
  await product.database.sql(await readFile('src/services/task/migrations/002_timers.sql', 'utf8'));
  const scheduled = async () => {
    const rows = await product.database.sql('select id, due_at from schedule order by due_at');
    return rows.map(({ id, due_at }) => [id, due_at.toISOString()]);
  };
  const expected = [
    [soon.id, soon.dueAt],
    [open.id, new Date(Date.parse(open.dueAt) - DAY).toISOString()],
  ];
  await until(
    'the timer to set them right',
    async () => JSON.stringify(await scheduled()) === JSON.stringify(expected),
  );
  expect(await told(product, soon)).toEqual([]);
  expect((await scheduled()).map(([id]) => id)).not.toContain(over.id);
  await product.close();
});
