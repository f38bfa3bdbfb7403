/** Events that no consumer can handle, of every kind, among many that it can. */
import type { NewEvent } from '../../../src/platform/event-store/event.ts';
import { newPerson } from '../../e2e/support/client.ts';
import type { Sql } from '../../support/sql.ts';
import { until } from '../../support/until.ts';
import { atLeast, atMost, NONE, scenario } from '../kit/scenario.ts';
import { LEFT_BEHIND, leftBehind, startNaiveConsumer } from '../load/naive-consumer.ts';
import { makeTasks, plant, taskEvent } from '../load/raw-tasks.ts';
import { ALL_KEPT, trial } from '../load/trial.ts';

/** What is wrong with an event, what it is parked for, and what mends it where it lies. */
type Poison = {
  /** Instead of `{}`. */
  readonly data?: string;
  readonly more?: Partial<NewEvent>;
  readonly cause: 'failed' | 'unknown' | 'unreadable';
  /** Before it is told, and after. */
  readonly prepare?: (sql: Sql, task: string) => Promise<unknown>;
  readonly mend: (sql: Sql, task: string) => Promise<unknown>;
};
const inParked = (assignment: string) => (sql: Sql, task: string) =>
  sql(`update notification_service.parked_event set ${assignment} where key = $1 and version = 2`, [task]);
const readable = inParked(`data = '{}'`);

const KINDS: Readonly<Record<string, Poison>> = {
  'data that is null': { data: 'null', cause: 'unreadable', mend: readable },
  'data that is a list': { data: '[1, 2]', cause: 'unreadable', mend: readable },
  'data 100 levels deep': { data: `${'{"a":'.repeat(100)}1${'}'.repeat(100)}`, cause: 'unreadable', mend: readable },
  'data of 7 MB': { data: `{"text":"${'x'.repeat(7 * 1024 * 1024)}"}`, cause: 'unreadable', mend: readable },
  'a version of tomorrow': {
    more: { schemaVersion: 99 },
    cause: 'unknown',
    mend: inParked('schema_version = 1'),
  },
  'a type of tomorrow': {
    more: { type: 'task.teleported' },
    cause: 'unknown',
    mend: inParked(`type = 'task.reopened'`),
  },
  'one that the consumer throws at': {
    cause: 'failed',
    prepare: (sql, task) =>
      sql(
        `with gone as (delete from notification_service.known_task where id = $1 returning *)
         insert into poison.known_task select * from gone`,
        [task],
      ),
    mend: (sql, task) =>
      sql('insert into notification_service.known_task select * from poison.known_task where id = $1', [task]),
  },
};
/** ms in which what lies on other keys must have had its effects. */
const UNDELAYED = 10_000;
const FOLLOWERS = 3;
const ROUNDS = { short: 1, full: 6 };
const COUNT = Object.keys(KINDS).length;

export const poison = scenario('poison', {
  promise: 'an event that cannot be handled stops only its key: parked with its cause, and redriven in order, once',
  run: async (stage) =>
    trial(stage, {
      rest: 20,
      meanwhile: async ({ installation, server, writers }) => {
        const { sql } = installation;
        const { ask } = await newPerson(server.url);
        await startNaiveConsumer(stage.world, installation, { HABITS: 'insists' });
        await sql('create schema poison');
        await sql('create table poison.known_task as select * from notification_service.known_task limit 0');
        const poisoned: (Poison & { readonly task: string })[] = [];
        for (let round = 1; round <= ROUNDS[stage.form]; round += 1) {
          poisoned.push(...(await poisonTasks(sql, await makeTasks(ask, COUNT))));
          stage.report(`round ${round} of ${ROUNDS[stage.form]}, ${writers.entries.length} commands`);
          // One in a hundred, and no more of them than a consumer takes before it stops.
          const [before, share] = [writers.entries.length, COUNT * 100];
          if (round < ROUNDS[stage.form])
            await until('99 of 100', () => writers.entries.length - before > share, 120_000);
        }
        const tasks = poisoned.map(({ task }) => task);
        const { parked, followers } = await whenParked(sql, tasks);
        const delay = await othersFollow(sql, tasks);
        for (const { task, mend } of poisoned) await mend(sql, task);
        const redriven = installation.taskwire(['dead-letters', 'redrive', '--all', '--wait']);
        if ((await redriven.exit).code !== 0) stage.report(redriven.output());
        return {
          'keys poisoned': tasks.length,
          'of them parked': parked.size,
          'parked for another cause': poisoned.filter(({ task, cause }) => parked.get(task) !== cause).length,
          'followers parked behind them': followers,
          'ms until others had followed': delay,
          ...(await leftBehind(installation)),
        };
      },
    }),
  bounds: (form) => ({
    ...ALL_KEPT,
    'of them parked': atLeast(ROUNDS[form] * COUNT),
    'parked for another cause': NONE,
    'followers parked behind them': atLeast(ROUNDS[form] * COUNT * FOLLOWERS),
    'ms until others had followed': atMost(UNDELAYED),
    [LEFT_BEHIND]: atLeast(COUNT * FOLLOWERS),
  }),
  controls: [],
});

/** Tells of each task something that cannot be handled, and then what can. */
const poisonTasks = async (sql: Sql, tasks: readonly string[]) => {
  const known = 'select from notification_service.known_task where id = any ($1)';
  await until('the tasks to be known', async () => (await sql(known, [tasks])).length === tasks.length);
  const poisoned = Object.values(KINDS).map((kind, n) => ({ ...kind, task: tasks[n] ?? '' }));
  for (const { prepare, task } of poisoned) await prepare?.(sql, task);
  for (const { data, more, task } of poisoned) {
    await plant(sql, taskEvent(task, 2, 'task.completed', more), data);
    for (let n = 0; n < FOLLOWERS; n += 1)
      await plant(sql, taskEvent(task, 3 + n, n % 2 === 0 ? 'task.completed' : 'task.reopened'));
  }
  return poisoned;
};

/** Why each is parked, and how much lies behind them. */
const whenParked = async (sql: Sql, tasks: readonly string[]) => {
  const rows = await until('the poison to be parked, and what follows it', async () => {
    const found = await sql<{ key: string; cause: string; events: number }>(
      `select key, cause, (select count(*)::integer from notification_service.parked_event e where e.key = k.key) as events
       from notification_service.parked_key k where key = any ($1)`,
      [tasks],
    );
    return found.length === tasks.length && found.every(({ events }) => events > FOLLOWERS) ? found : undefined;
  });
  return {
    parked: new Map(rows.map(({ key, cause }) => [key, cause])),
    followers: rows.reduce((sum, { events }) => sum + events - 1, 0),
  };
};

/** ms until all that was told so far of other keys has had its effects. */
const othersFollow = async (sql: Sql, tasks: readonly string[]): Promise<number> => {
  const began = performance.now();
  const [moment] = await sql<{ at: string }>('select clock_timestamp()::text as at');
  const behind = `
    select from task_service.event e where type = 'task.completed' and recorded_at < $1 and key <> all ($2) and not exists (
      select from notification_service.event n where n.metadata ->> 'causationId' = e.id::text) limit 1`;
  await until('the others', async () => (await sql(behind, [moment?.at, tasks])).length === 0, 60_000);
  return Math.round(performance.now() - began);
};
