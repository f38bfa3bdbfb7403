import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { statement } from '../../src/platform/sql/database.ts';
import { until } from '../support/until.ts';
import { testBed, upTo } from './bed.ts';
import { appendTo, commitOf, freshStream, noteTable } from './notes.ts';

const bed = testBed();
/** A row that takes its time to be written. */
const slow = (seconds: number) => ({
  statement: statement(
    'test-slow',
    `insert into note_list select $1::uuid, 1, 'slow', 1 from pg_sleep($2::float8) limit 1`,
  ),
  values: [randomUUID(), seconds],
  expect: 1,
});
const write = () => commitOf(appendTo(freshStream(), 0));
const streamsOf = (commits: readonly ReturnType<typeof write>[]) =>
  commits.flatMap(({ appends }) => appends.map(({ stream }) => stream));
const batchSizes = async (streams: readonly string[]): Promise<readonly number[]> =>
  (
    await bed.sql('select count(*)::integer as size from event where stream = any($1) group by tx order by tx', [
      streams,
    ])
  ).map(({ size }) => size);

describe('commits that wait at the same moment go together', () => {
  test('at most 64 in a transaction, those first who came first', async () => {
    const { executor } = bed.open().commands;
    const commits = upTo(150).map(write);
    await Promise.all(commits.map((one) => executor.commit(one)));
    const streams = streamsOf(commits);
    const rows = await bed.sql<{ together: string[] }>(
      'select array_agg(stream) as together from event where stream = any($1) group by tx',
      [streams],
    );
    // The places in the line of those that went together; two transactions run at once, in any order.
    const places = rows.map(({ together }) =>
      together.map((stream) => streams.indexOf(stream) + 1).sort((a, b) => a - b),
    );
    expect(places.sort(([a = 0], [b = 0]) => a - b)).toEqual([
      upTo(64),
      upTo(64).map((n) => n + 64),
      upTo(22).map((n) => n + 128),
    ]);
  });

  test('at most two transactions at a time', async () => {
    const { executor } = bed.open().commands;
    const commits = upTo(200).map((n) => ({ ...write(), writes: n % 64 === 1 ? [slow(0.15)] : [] }));
    let writing = true;
    const done = Promise.all(commits.map((one) => executor.commit(one))).finally(() => {
      writing = false;
    });
    const seen: number[] = [];
    while (writing) {
      const [{ open } = { open: 0 }] = await bed.sql(
        `select count(*)::integer as open from pg_stat_activity
         where datname = current_database() and application_name = 'taskwire test' and xact_start is not null and backend_xid is not null`,
      );
      seen.push(open);
      await sleep(3);
    }
    await done;
    expect(Math.max(...seen)).toBe(2);
    expect((await batchSizes(streamsOf(commits))).every((size) => size <= 64)).toBe(true);
  });

  test('commits for one stream are never in one transaction, and keep their order', async () => {
    const { executor } = bed.open().commands;
    const stream = freshStream();
    const verdicts = await Promise.all(upTo(10).map((n) => executor.commit(commitOf(appendTo(stream, n - 1)))));
    expect(verdicts.map(({ verdict }) => verdict)).toEqual(upTo(10).map(() => 'accepted'));
    expect(await batchSizes([stream])).toEqual(upTo(10).map(() => 1));
  });

  test('while one stream’s commit takes long, those of others overtake it', async () => {
    const { executor } = bed.open().commands;
    const ended: string[] = [];
    const long = executor.commit({ ...write(), writes: [slow(0.8)] }).then(() => ended.push('long'));
    await sleep(30);
    await executor.commit(write()).then(() => ended.push('short'));
    await long;
    expect(ended).toEqual(['short', 'long']);
  });
});

describe('nobody waits for ever, and nobody is dropped', () => {
  test('who gets no turn in time is told that nothing happened, and nothing does', async () => {
    const { executor } = bed.open().commands;
    const long = { ...write(), writes: [slow(0.4)] };
    const [stream = ''] = streamsOf([long]);
    const done = executor.commit(long);
    const waiting = executor.commit(commitOf(appendTo(stream, 1)), 100);
    await expect(waiting).rejects.toMatchObject({
      name: 'DatabaseUnavailable',
      message: expect.stringContaining('no turn in time'),
    });
    await done;
    await executor.close();
    expect(await bed.versions(stream)).toEqual([1]);
  });

  test('whose own commit takes longer is told that it may yet happen, and it does', async () => {
    const { executor } = bed.open().commands;
    const commit = { ...write(), writes: [slow(0.4)] };
    await expect(executor.commit(commit, 100)).rejects.toMatchObject({ name: 'OutcomeUnknown' });
    const [stream = ''] = streamsOf([commit]);
    while ((await bed.versions(stream)).length === 0) await sleep(20);
  });

  test('closing waits for what is under way and for what waits, and refuses what comes after', async () => {
    const kit = bed.open();
    const { executor } = kit.commands;
    const commits = upTo(100).map((n) => ({ ...write(), writes: n === 1 ? [slow(0.2)] : [] }));
    const done = Promise.all(commits.map((one) => executor.commit(one)));
    await sleep(20);
    const closed = executor.close();
    await expect(executor.commit(write())).rejects.toMatchObject({ name: 'DatabaseUnavailable' });
    await closed;
    expect(await done).toHaveLength(100);
    expect(await batchSizes(streamsOf(commits)).then((sizes) => sizes.reduce((sum, size) => sum + size, 0))).toBe(100);
    const left = await bed.sql(
      `select 1 from pg_stat_activity where datname = current_database() and application_name = 'taskwire test' and state <> 'idle'`,
    );
    expect(left).toEqual([]);
  });

  test('connections that were ended while they were idle cost nobody an error', async () => {
    const { executor } = bed.open().commands;
    await Promise.all([{ ...write(), writes: [slow(0.1)] }, write()].map((one) => executor.commit(one)));
    for (let round = 0; round < 3; round += 1) {
      const theirs = `pg_stat_activity where datname = current_database() and application_name = 'taskwire test'`;
      await bed.sql(`select pg_terminate_backend(pid) from ${theirs}`);
      await until('them to be gone', async () => (await bed.sql(`select from ${theirs}`)).length === 0);
      expect(
        await executor.commit({
          ...write(),
          writes: [{ upsert: noteTable, row: { id: randomUUID(), version: 1, text: '', length: 0 } }],
        }),
      ).toMatchObject({ verdict: 'accepted' });
    }
  });
});
