/** Sixteen writers that hold their transactions open for random times, and two that hold theirs open for a minute. */
import { setTimeout as pause } from 'node:timers/promises';
import { newPerson } from '../../e2e/support/client.ts';
import { connect } from '../../support/sql.ts';
import { until } from '../../support/until.ts';
import { atLeast, scenario } from '../kit/scenario.ts';
import type { Installation } from '../kit/world.ts';
import { makeTasks, openRawWriter, taskEvent } from '../load/raw-tasks.ts';
import { ALL_KEPT, trial, type Under } from '../load/trial.ts';

const WRITERS = 16;
const HELD = { short: 5_000, full: 60_000 };

export const longWriters = scenario('long-writers', {
  promise:
    'a subscriber skips no committed event and keeps the order of each key, whoever holds a transaction open in the cluster',
  run: async (stage) =>
    trial(stage, {
      rest: 100,
      patience: HELD[stage.form] + 60_000,
      meanwhile: async ({ installation, server, writers }) => {
        const { ask } = await newPerson(server.url);
        const tasks = await makeTasks(ask, WRITERS + 1);
        const naive = await readNaively(installation);
        const before = writers.entries.length;
        const held = await holdOpen(installation, tasks.at(-1) ?? '');
        let writing = true;
        const writtenBy = tasks.slice(0, WRITERS).map((task) => write(installation, task, () => writing, stage.chance));
        await pause(HELD[stage.form]);
        const during = writers.entries.slice(before).filter(({ answered }) => answered === 'acknowledged').length;
        const followed = await effectsSince(installation, held.since);
        await held.end();
        writing = false;
        const written = (await Promise.all(writtenBy)).reduce((sum, count) => sum + count, 0);
        return {
          'ms held open': HELD[stage.form],
          'committed by 16 writers with holds': written,
          'commands acknowledged meanwhile': during,
          'effects seen too early': followed,
          'a naive reader beside it: skipped': await naive.skipped(),
        };
      },
    }),
  bounds: () => ({
    ...ALL_KEPT,
    'committed by 16 writers with holds': atLeast(200),
    'commands acknowledged meanwhile': atLeast(50),
    // What is committed beside an open transaction could come to lie before it, and waits for it.
    'effects seen too early': { atMost: 0 },
    'a naive reader beside it: skipped': atLeast(1),
  }),
  controls: [],
});

/** Completes and reopens a task in transactions of its own, each held for up to 30 ms; one in six is rolled back. */
const write = async (
  installation: Installation,
  task: string,
  goesOn: () => boolean,
  { between }: { between: (low: number, high: number) => number },
): Promise<number> => {
  const writer = await openRawWriter(installation);
  let version = 1;
  while (goesOn()) {
    await writer.begin(taskEvent(task, version + 1, version % 2 === 1 ? 'task.completed' : 'task.reopened'));
    await pause(between(0, 30));
    const kept = between(1, 6) < 6;
    await writer.end(kept ? 'commit' : 'rollback');
    if (kept) version += 1;
    await pause(between(0, 100));
  }
  await writer.close();
  return version - 1;
};

/** One that has appended, in the store itself, and one that has written anything, in another database of the cluster. */
const holdOpen = async (installation: Installation, task: string) => {
  await installation.sql('create database elsewhere');
  const elsewhere = await connect({ ...(await installation.address()), database: 'elsewhere' });
  await elsewhere.query('begin');
  await elsewhere.query('create table something (id int)');
  const { rows } = await elsewhere.query<{ tx: string }>('select pg_current_xact_id()::text as tx');
  const here = await openRawWriter(installation);
  await here.begin(taskEvent(task, 2, 'task.completed'));
  const isOldest = async () =>
    (await installation.sql<{ oldest: string }>('select pg_snapshot_xmin(pg_current_snapshot())::text as oldest'))[0]
      ?.oldest === rows[0]?.tx;
  await until('whatever began before it to be over', isOldest);
  const [moment] = await installation.sql<{ at: string }>('select clock_timestamp() as at');
  return {
    since: moment?.at ?? '',
    end: async () => {
      await here.end('commit');
      await pause(500); // the other one alone holds the feed back now
      await elsewhere.query('commit');
      await Promise.all([here.close(), elsewhere.end()]);
    },
  };
};

/** Effects of what was appended since the transactions were held open. */
const effectsSince = async ({ sql }: Under['installation'], since: string): Promise<number> => {
  const [row] = await sql<{ count: number }>(
    `select count(*)::integer as count from notification_service.event n
     join task_service.event t on t.id::text = n.metadata ->> 'causationId' where t.recorded_at > $1`,
    [since],
  );
  return row?.count ?? Number.NaN;
};

/** What is often written instead: whoever remembers the highest position, and asks for what is above it. */
const readNaively = async (installation: Installation) => {
  const client = await connect(await installation.address());
  const seen = new Set<string>();
  let last = '0';
  let reading = true;
  const look = async () => {
    const { rows } = await client.query<{ id: string; position: string }>(
      'select id, position from task_service.event where position > $1 order by position',
      [last],
    );
    for (const { id } of rows) seen.add(id);
    last = rows.at(-1)?.position ?? last;
  };
  const following = (async () => {
    while (reading) {
      await look();
      await pause(2);
    }
  })();
  return {
    skipped: async () => {
      reading = false;
      await following;
      await look();
      const { rows } = await client.query<{ id: string }>('select id from task_service.event where position <= $1', [
        last,
      ]);
      await client.end();
      return rows.filter(({ id }) => !seen.has(id)).length;
    },
  };
};
