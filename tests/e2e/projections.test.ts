/** `taskwire projections …` beside a server under load, and killed where it hurts. */
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readInstance } from '../../src/platform/embedded/instance-lock.ts';
import { until } from '../support/until.ts';
import { type Ask, newPerson } from './support/client.ts';
import { productBed, type Server } from './support/product.ts';

const bed = productBed();
let DATA_DIR: string;
let server: Server;
let ask: Ask;
let database: pg.Client;

beforeAll(async () => {
  DATA_DIR = await bed.folder();
  server = await bed.start({ env: { DATA_DIR } });
  ({ ask } = await newPerson(server.url));
  for (let n = 0; n < 20; n += 1) await ask('POST', '/api/v1/tasks', { body: { title: `Task ${n}` } });
  database = new pg.Client({ ...(await readInstance(DATA_DIR))?.database, database: 'taskwire' });
  await database.connect();
  const heard = `select from notification_service.person, notification_service.known_task`;
  await until('all of it to be heard', async () => (await database.query(heard)).rowCount === 20);
});
afterAll(bed.clear);

/** What a command says, once it has ended. */
const projections = async (args: readonly string[], env: Record<string, string> = {}) => {
  const run = bed.taskwire(['projections', ...args], { env: { DATA_DIR, ...env } });
  return { ...(await run.exit), output: run.output() };
};
/** Runs something while some people change, make and read tasks; answers all statuses that they got, and the slowest. */
const underLoad = async (people: number, run: () => Promise<void>) => {
  let going = true;
  const answers: Awaited<ReturnType<Ask>>[] = [];
  const work = async () => {
    const { ask: theirs } = await newPerson(server.url);
    const told = async (...request: Parameters<Ask>) => {
      const answer = await theirs(...request);
      answers.push(answer);
      return answer;
    };
    for (let n = 0; going; n += 1) {
      const { body } = await told('POST', '/api/v1/tasks', { body: { title: `Under load ${n}` } });
      await told('PATCH', `/api/v1/tasks/${body?.id}`, { body: { priority: 'urgent' } });
      await told('GET', `/api/v1/tasks/${body?.id}`);
      await told('GET', '/api/v1/tasks?limit=5');
    }
  };
  const working = Promise.all(Array.from({ length: people }, work));
  try {
    await run();
  } finally {
    going = false;
    await working;
  }
  return { statuses: answers.map(({ status }) => status), slowest: Math.max(...answers.map(({ ms }) => ms)) };
};

test('list names every read model with its rows', async () => {
  const { code, output } = await projections(['list']);
  expect(code).toBe(0);
  expect(output).toMatch(/^SERVICE +PROJECTION +KIND +ROWS +STATE\n/);
  expect(output.split('\n')).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^user +user_profile +inline +1 row +ok$/),
      expect.stringMatching(/^user +user_session +inline +1 row +ok$/),
      expect.stringMatching(/^task +task_list +inline +20 rows +ok$/),
      expect.stringMatching(/^task +category_list +inline +0 rows +ok$/),
      expect.stringMatching(/^notification +person +asynchronous +1 row +ok$/),
      expect.stringMatching(/^notification +known_task +asynchronous +20 rows +ok$/),
    ]),
  );
  const listed = JSON.parse((await projections(['list', '--json'])).output);
  expect(listed).toHaveLength(output.trimEnd().split('\n').length - 1);
  expect(listed).toContainEqual({ service: 'task', name: 'task_list', kind: 'inline', rows: 20, state: 'ok' });
});

test('rebuild mends what verify finds, beside a server that goes on reading and writing without an error', async () => {
  await database.query(`update task_service.task_list set title = 'Forged' where title = 'Task 7'`);
  const found = await projections(['verify', 'task_list']);
  expect(found).toMatchObject({ code: 1, output: expect.stringMatching(/^\S{36} {2}different\n/) });
  expect(found.output).toContain('1 row of task_list differs: `taskwire projections rebuild task_list` mends it');
  const { code, output } = await projections(['verify', 'task_list', '--json']);
  expect(JSON.parse(output.slice(0, output.indexOf('taskwire:')))).toEqual([
    { id: expect.stringMatching(/^\S{36}$/), fault: 'different' },
  ]);
  expect(code).toBe(1);

  const { statuses, slowest } = await underLoad(4, async () => {
    const { code, output } = await projections(['rebuild', 'task_list']);
    const steps = [...output.matchAll(/^task_list: ([a-z ]+), [\d,]+ .*events/gm)].map(([, step]) => step);
    expect([...new Set(steps)]).toEqual(['fill', 'index', 'catch up', 'switch']);
    expect(output).toMatch(/\ntask_list: [\d,]+ rows from [\d,]+ events in [\d.]+ s; writers waited \d+ ms\n$/);
    expect(code).toBe(0);
  });
  expect(new Set(statuses)).toEqual(new Set([200, 201]));
  expect(statuses.length, 'it was under load').toBeGreaterThan(50);
  expect(slowest).toBeLessThan(5_000);
  expect(await projections(['verify', 'task_list'])).toMatchObject({
    code: 0,
    output: 'task_list: every row is what its events say\n',
  });
  expect((await ask('GET', '/api/v1/tasks?limit=100')).body?.items).toContainEqual(
    expect.objectContaining({ title: 'Task 7' }),
  );
});

const FAIL_POINTS = ['rebuild-fill', 'rebuild-switch'];
test.each(
  FAIL_POINTS,
)('killed at %s it leaves the old table serving, and the next one succeeds', async (FAIL_POINT) => {
  const oid = async () =>
    (await database.query<{ oid: string }>(`select 'task_service.task_list'::regclass::oid as oid`)).rows[0]?.oid;
  const before = await oid();
  const { statuses } = await underLoad(2, async () => {
    expect(await projections(['rebuild', 'task_list'], { FAIL_POINT })).toMatchObject({ signal: 'SIGKILL' });
    expect(await oid()).toBe(before);
    expect((await projections(['list'])).output).toMatch(
      /task_list .* a rebuild was left half-way: rebuild it again\n/,
    );
    expect(await projections(['rebuild', 'task_list'])).toMatchObject({ code: 0 });
  });
  expect(new Set(statuses)).toEqual(new Set([200, 201]));
  expect(await oid()).not.toBe(before);
  expect(await projections(['verify', 'task_list'])).toMatchObject({ code: 0 });
});

test('what is kept from other services’ events is made anew from them, and nobody is told anything twice', async () => {
  const count = async (table: string) =>
    (await database.query<{ count: number }>(`select count(*)::integer as count from notification_service.${table}`))
      .rows[0]?.count;
  await until('all of it to be heard', async () => (await projections(['verify', 'known_task'])).code === 0);
  await database.query(`update notification_service.known_task set title = 'Forged' where title = 'Task 7'`);
  await database.query(`delete from notification_service.person`);
  for (const name of ['known_task', 'person']) expect((await projections(['verify', name])).code).toBe(1);
  const told = [await count('event'), await count('dev_mailbox')];
  for (const FAIL_POINT of FAIL_POINTS)
    expect(await projections(['rebuild', 'known_task'], { FAIL_POINT })).toMatchObject({ signal: 'SIGKILL' });
  for (const name of ['known_task', 'person']) {
    expect(await projections(['rebuild', name])).toMatchObject({ code: 0 });
    expect(await projections(['verify', name, '--json'])).toMatchObject({ code: 0, output: '[]\n' });
  }
  expect([await count('event'), await count('dev_mailbox')]).toEqual(told);
});

test('a second rebuild at once is refused, and list tells of the first', async () => {
  await database.query(`select pg_advisory_lock(hashtextextended('task_service.task_list is rebuilt', 11))`);
  expect((await projections(['list'])).output).toMatch(/task_list .* is being rebuilt\n/);
  expect(await projections(['rebuild', 'task_list'])).toMatchObject({
    code: 1,
    output: 'taskwire: task_list is being rebuilt by another process\n',
  });
  await database.query('select pg_advisory_unlock_all()');
});

test('a name that there is not is told those that there are', async () => {
  const { code, output } = await projections(['rebuild', 'tasks']);
  expect(output).toMatch(/^taskwire: there is no projection tasks; there are user_profile, .*\btask_list\b/);
  expect(code).toBe(1);
});

test('a rebuild needs no server', async () => {
  await database.end();
  server.signal('SIGTERM');
  await server.exit;
  const { code, output } = await projections(['rebuild', 'task_list', '--json']);
  expect(code, output).toBe(0);
  const [json = ''] = /^\{.*^\}/ms.exec(output) ?? []; // beside how far it came
  expect(JSON.parse(json)).toMatchObject({ name: 'task_list', rows: expect.any(Number), events: expect.any(Number) });
});
