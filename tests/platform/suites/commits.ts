/** What holds for one commit and for those that travel with it, on whatever server. */
import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Commit, Verdict } from '../../../src/platform/commit/commit.ts';
import { refusalOf } from '../../../src/platform/resilience/refusal.ts';
import { statement } from '../../../src/platform/sql/database.ts';
import { type Bed, upTo } from '../bed.ts';
import { appendTo, commitOf, freshStream, guard, newEvent, noteTable } from '../notes.ts';
import { inProcesses, inThisProcess, type Job, tallyOf } from '../writers.ts';

const ACCEPTED = expect.objectContaining({ verdict: 'accepted' });
const INSERT = statement('test-insert', 'insert into note_list (id, version, text, length) values ($1, 1, $2, $3)');
const DELETE = statement('test-delete', 'delete from note_list where id = $1');
const row = (length: number, id = randomUUID()) => ({
  upsert: noteTable,
  row: { id, version: 1, text: 'words', length },
});

const SAME = randomUUID();

/** The verdict, or the SQLSTATE of the error. */
const codeOf = (told: PromiseSettledResult<Verdict>): unknown =>
  told.status === 'fulfilled' ? told.value.verdict : (told.reason.sqlState ?? told.reason.code);

/** Again, with fresh commits, where of one nothing could be told in time: 64 that run alone take a slow machine too long. */
const toldInTime = async <T>(commit: () => Promise<T>): Promise<T> => {
  for (;;) {
    try {
      return await commit();
    } catch (error) {
      if (refusalOf(error) !== 'outcome-unknown') throw error;
    }
  }
};

export const commitsSuite = (bed: Bed): void => {
  const stored = async (ids: readonly string[]): Promise<number> =>
    (await bed.sql('select id from event where id = any($1)', [ids])).length;
  const idsOf = ({ appends }: Commit): readonly string[] => appends.flatMap(({ events }) => events.map(({ id }) => id));
  const oneOf = (stream = freshStream(), version = 1, id: string = randomUUID()): Commit =>
    commitOf({ stream, expected: version - 1, events: [newEvent(stream, version, { id })] });

  describe('an event id is stored once', () => {
    test('the same id twice in one commit: nothing of it', async () => {
      const { executor } = bed.open().commands;
      const [stream, id] = [freshStream(), randomUUID()];
      const twice = commitOf({ stream, expected: 0, events: [1, 2].map((v) => newEvent(stream, v, { id })) });
      expect(await executor.commit(twice)).toEqual({ verdict: 'duplicate' });
      expect(await bed.versions(stream)).toEqual([]);
    });

    test('the id of an earlier commit: as the first event of a stream, and behind a new one', async () => {
      const { executor } = bed.open().commands;
      const id = randomUUID();
      expect(await executor.commit(oneOf(undefined, 1, id))).toEqual(ACCEPTED);
      const stream = freshStream();
      expect(await executor.commit(oneOf(stream, 1, id))).toEqual({ verdict: 'duplicate' });
      const behind = commitOf({ stream, expected: 0, events: [newEvent(stream, 1), newEvent(stream, 2, { id })] });
      expect(await executor.commit(behind)).toEqual({ verdict: 'duplicate' });
      expect(await bed.versions(stream)).toEqual([]);
      expect(await stored([id])).toBe(1);
    });

    test('the same id twice among 64 of a batch: one of the two is stored, and all others are', async () => {
      const { executor } = bed.open().commands;
      const id = randomUUID();
      const commits = [...Array.from({ length: 62 }, () => oneOf()), oneOf(undefined, 1, id), oneOf(undefined, 1, id)];
      const verdicts = await Promise.all(commits.map((one) => executor.commit(one)));
      expect(tallyOf(verdicts.map(({ verdict }) => verdict))).toEqual({ accepted: 63, duplicate: 1 });
      expect(await stored(commits.flatMap(idsOf))).toBe(63);
    });

    test('the same ids from two executors at once: each is stored once, the others of their batches are unharmed', async () => {
      const { ids, tellings } = await toldInTime(async () => {
        const ids = upTo(20).map(() => randomUUID());
        const tellings = await Promise.all(
          [bed.open(), bed.open()].map(async ({ commands }) => {
            const shared = ids.map((id) => commands.executor.commit(oneOf(undefined, 1, id)));
            const own = upTo(20).map(() => commands.executor.commit(oneOf()));
            const [verdicts, ofOwn] = await Promise.all([Promise.all(shared), Promise.all(own)]);
            expect(ofOwn).toEqual(upTo(20).map(() => ACCEPTED));
            return verdicts.map(({ verdict }) => verdict);
          }),
        );
        return { ids, tellings };
      });
      expect(tallyOf(tellings.flat())).toEqual({ accepted: 20, duplicate: 20 });
      expect(await stored(ids)).toBe(20);
    });
  });

  describe('one command’s fault in a batch of 64 is its own', () => {
    const wrong = statement('test-wrong', 'delete from nowhere');
    const unexpected = statement('test-unexpected', 'select 1 from era');
    const faults: readonly [what: string, told: string, writes: () => Commit['writes']][] = [
      ['a row breaks a constraint', '23514', () => [row(1_000_000)]],
      ['a value does not fit its type', '22P02', () => [{ statement: INSERT, values: ['x', 'y', 1], expect: 1 }]],
      ['it has one row twice', '21000', () => [row(1, SAME), row(2, SAME)]],
      ['its statement is wrong', '42P01', () => [{ statement: wrong, values: [], expect: 1 }]],
      ['it misses a row', 'missed', () => [{ statement: DELETE, values: [randomUUID()], expect: 1 }]],
      ['it finds a row too many', 'missed', () => [{ statement: unexpected, values: [], expect: 0 }]],
    ];
    test.each(faults)('%s', async (_what, told, writes) => {
      const { executor } = bed.open().commands;
      const { good, bad, badly, well } = await toldInTime(async () => {
        const good = upTo(63).map(() => ({ ...oneOf(), writes: [row(1)] }));
        const bad = { ...oneOf(), writes: writes() };
        const [badly, ...well] = await Promise.allSettled([bad, ...good].map((one) => executor.commit(one)));
        for (const one of [badly, ...well])
          if (one?.status === 'rejected' && refusalOf(one.reason) === 'outcome-unknown') throw one.reason;
        return { good, bad, badly, well };
      });
      expect(well).toEqual(good.map(() => ({ status: 'fulfilled', value: ACCEPTED })));
      expect(await stored(good.flatMap(idsOf))).toBe(63);
      expect(await stored(idsOf(bad))).toBe(0);
      expect(badly && codeOf(badly)).toBe(told);
    });

    test('refused ones leave alone: stale, taken and seen beside 61 that are stored in one transaction', async () => {
      const { executor } = bed.open().commands;
      const name = { scope: 'name', value: randomUUID(), holder: 'first' };
      const key = { principal: 'ada', route: 'POST /notes', key: randomUUID(), bodyHash: 'h', results: [] };
      expect(await executor.commit({ ...oneOf(), take: [name], idempotency: key })).toEqual(ACCEPTED);
      const good = upTo(61).map(() => oneOf());
      const verdicts = await Promise.all(
        [
          oneOf(undefined, 2),
          { ...oneOf(), take: [{ ...name, holder: 'second' }] },
          { ...oneOf(), idempotency: key },
          ...good,
        ].map((one) => executor.commit(one)),
      );
      expect(verdicts.slice(0, 3)).toEqual([
        { verdict: 'stale' },
        { verdict: 'taken', scope: 'name' },
        { verdict: 'seen' },
      ]);
      expect(verdicts.slice(3)).toEqual(good.map(() => ACCEPTED));
      const [{ transactions } = {}] = await bed.sql(
        'select count(distinct tx) as transactions from event where id = any($1)',
        [good.flatMap(idsOf)],
      );
      expect(transactions).toBe('1');
    });
  });

  describe('a commit happens whole or not at all', () => {
    test('events of several streams, the reservation and the rows: all are there', async () => {
      const { executor } = bed.open().commands;
      const streams = upTo(3).map(() => freshStream());
      const [name, note] = [{ scope: 'name', value: randomUUID(), holder: 'x' }, row(7)];
      const commit = { ...commitOf(...streams.map((stream) => appendTo(stream, 0, 2))), take: [name], writes: [note] };
      expect(await executor.commit(commit)).toEqual(ACCEPTED);
      const rows = await bed.sql('select tx from event where stream = any($1)', [streams]);
      expect(rows).toHaveLength(6);
      expect(new Set(rows.map(({ tx }) => tx)).size).toBe(1);
      expect(await bed.sql('select length from note_list where id = $1', [note.row.id])).toEqual([{ length: 7 }]);
      expect(await bed.sql('select holder from reservation where value = $1', [name.value])).toEqual([{ holder: 'x' }]);
    });

    test('one of its streams is stale, or a row at its end fails: nothing is there', async () => {
      const { executor } = bed.open().commands;
      const [name, note, streams] = [
        { scope: 'name', value: randomUUID(), holder: 'x' },
        row(7),
        upTo(2).map(() => freshStream()),
      ];
      const key = { principal: 'ada', route: 'r', key: randomUUID(), bodyHash: 'h', results: [] };
      const [first = '', second = ''] = streams;
      const rest = { take: [name], idempotency: key };
      const stale = { ...commitOf(appendTo(first, 0), appendTo(second, 4)), ...rest, writes: [note] };
      expect(await executor.commit(stale)).toEqual({ verdict: 'stale' });
      const missing = { statement: DELETE, values: [randomUUID()], expect: 1 };
      const failing = { ...commitOf(appendTo(first, 0), appendTo(second, 0)), ...rest, writes: [note, missing] };
      expect(await executor.commit(failing)).toEqual({ verdict: 'missed' });
      const left = await bed.sql(
        `select 1 from event where stream = any($1) union all select 2 from note_list where id = $2
         union all select 3 from reservation where value = $3 union all select 4 from idempotency where key = $4`,
        [streams, note.row.id, name.value, key.key],
      );
      expect(left).toEqual([]);
    });
  });

  describe('a guard holds a stream where it is, and keeps out only its writers', () => {
    test('it is refused at another version', async () => {
      const { executor } = bed.open().commands;
      const [guarded, stream] = [freshStream(), freshStream()];
      expect(await executor.commit(commitOf(appendTo(stream, 0), guard(guarded, 1)))).toEqual({ verdict: 'stale' });
      expect(await bed.versions(stream)).toEqual([]);
      expect(await executor.commit(commitOf(appendTo(guarded, 0)))).toEqual(ACCEPTED);
      expect(await executor.commit(commitOf(appendTo(stream, 0), guard(guarded, 1)))).toEqual(ACCEPTED);
    });

    test('while a writer is at the stream, a guard of another process is told that it is busy; and the reverse', async () => {
      const [guarded, elsewhere] = [freshStream(), bed.open().commands.executor];
      await elsewhere.commit(commitOf(appendTo(guarded, 0)));
      await bed.sql('begin');
      await bed.sql('select pg_advisory_xact_lock(hashtextextended($1, 7))', [guarded]);
      expect(await elsewhere.commit(commitOf(appendTo(freshStream(), 0), guard(guarded, 1)))).toEqual({
        verdict: 'busy',
      });
      await bed.sql('rollback');
      await bed.sql('begin');
      await bed.sql('select pg_advisory_xact_lock_shared(hashtextextended($1, 7))', [guarded]);
      expect(await elsewhere.commit(commitOf(appendTo(guarded, 1)))).toEqual({ verdict: 'busy' });
      expect(await elsewhere.commit(commitOf(appendTo(freshStream(), 0), guard(guarded, 1)))).toEqual(ACCEPTED);
      await bed.sql('rollback');
    });

    test('64 guards and a writer of two processes: no guarded commit is stored after the version that it relied on', async () => {
      const guarded = freshStream();
      const [one, two] = [bed.open().commands.executor, bed.open().commands.executor];
      await one.commit(commitOf(appendTo(guarded, 0)));
      const relying = upTo(64).map(() => freshStream());
      const [relied, written] = await Promise.all([
        Promise.all(relying.map((stream) => one.commit(commitOf(appendTo(stream, 0), guard(guarded, 1))))),
        two.commit(commitOf(appendTo(guarded, 1))),
      ]);
      const { accepted = 0, busy = 0, stale = 0, ...others } = tallyOf(relied.map(({ verdict }) => verdict));
      expect(others).toEqual({});
      expect(accepted + busy + stale).toBe(64);
      expect(['accepted', 'busy']).toContain(written.verdict);
      expect((await bed.sql('select 1 from event where stream = any($1)', [relying])).length).toBe(accepted);
      const late = await bed.sql(
        `select 1 from event r join event w on w.stream = $2 and w.version = 2 where r.stream = any($1) and r.tx > w.tx`,
        [relying, guarded],
      );
      expect(late).toEqual([]);
    });
  });

  describe('a reservation has one holder', () => {
    const contest = (by: (job: Job) => Promise<unknown>) =>
      by({ address: bed.address(), by: 'reservations', ids: upTo(4).map(() => randomUUID()), writers: 32, rounds: 6 });

    test.each([
      ['one process', 1, inThisProcess],
      ['two processes', 2, (job: Job) => inProcesses(2, job)],
    ] as const)('taken, let go of and taken again by 32 writers in %s', async (_where, processes, run) => {
      const { held = 0, taken = 0, busy = 0, ...others } = (await contest(run)) as Record<string, number>;
      expect(others, 'nobody found it held by another or could not let go of it').toEqual({});
      expect(held + taken + busy).toBe(32 * 6 * processes);
      expect(held).toBeGreaterThan(4);
      expect(taken).toBeGreaterThan(0);
      expect(await bed.sql(`select value from reservation where scope = 'name' and holder ~ '-0'`)).toEqual([]);
    });

    test('while another process is at it, it is busy', async () => {
      const { executor } = bed.open().commands;
      const name = { scope: 'name', value: randomUUID(), holder: 'ada' };
      await bed.sql('begin');
      await bed.sql('select pg_advisory_xact_lock(hashtextextended($1, 8))', [`${name.scope}\u001f${name.value}`]);
      expect(await executor.commit({ ...commitOf(), take: [name] })).toEqual({ verdict: 'busy' });
      await bed.sql('rollback');
      expect(await executor.commit({ ...commitOf(), take: [name] })).toEqual(ACCEPTED);
    });

    test('only its holder can let go of it, and one commit can swap two', async () => {
      const { executor } = bed.open().commands;
      const [old, next] = upTo(2).map(() => ({ scope: 'name', value: randomUUID(), holder: 'ada' }));
      if (!old || !next) throw new Error('two were made');
      expect(await executor.commit({ ...commitOf(), take: [old] })).toEqual(ACCEPTED);
      expect(await executor.commit({ ...commitOf(), release: [{ ...old, holder: 'eve' }] })).toEqual(ACCEPTED);
      expect(await executor.commit({ ...commitOf(), take: [{ ...old, holder: 'eve' }] })).toEqual({
        verdict: 'taken',
        scope: 'name',
      });
      expect(await executor.commit({ ...oneOf(), release: [old], take: [next] })).toEqual(ACCEPTED);
      expect(await executor.commit({ ...commitOf(), take: [{ ...old, holder: 'eve' }] })).toEqual(ACCEPTED);
    });
  });

  describe('an idempotency key is used once', () => {
    const key = () => ({
      principal: 'ada',
      route: 'POST /notes',
      key: randomUUID(),
      bodyHash: 'h',
      results: [{ stream: 's', version: 1 }],
    });

    test('once it was used, it was seen, whoever asks', async () => {
      const used = key();
      expect(await bed.open().commands.executor.commit({ ...oneOf(), idempotency: used })).toEqual(ACCEPTED);
      const again = { ...oneOf(), idempotency: used };
      const other = bed.open();
      expect(await other.commands.executor.commit(again)).toEqual({ verdict: 'seen' });
      expect(await stored(idsOf(again))).toBe(0);
      expect(await other.write.records.find(used)).toEqual({ bodyHash: 'h', results: used.results });
      expect(
        await other.write.records.find({ ...used, principal: 'eve' }),
        'another’s key is another key',
      ).toBeUndefined();
    });

    test('seen outranks what else became of the command', async () => {
      const { executor } = bed.open().commands;
      const first = { ...oneOf(), idempotency: key(), take: [{ scope: 'name', value: randomUUID(), holder: 'ada' }] };
      expect(await executor.commit(first)).toEqual(ACCEPTED);
      expect(await executor.commit(first), 'it is stale, a duplicate and taken as well').toEqual({ verdict: 'seen' });
    });

    test('while another process is at it, it is in flight', async () => {
      const { executor } = bed.open().commands;
      const used = key();
      const lock = [used.principal, used.route, used.key].join('\u001f');
      await bed.sql('begin');
      await bed.sql('select pg_advisory_xact_lock(hashtextextended($1, 9))', [lock]);
      const waiting = { ...oneOf(), idempotency: used };
      expect(await executor.commit(waiting)).toEqual({ verdict: 'in-flight' });
      await bed.sql('rollback');
      expect(await executor.commit(waiting)).toEqual(ACCEPTED);
    });

    test('50 at once through two executors: one is accepted', async () => {
      const used = key();
      const executors = [bed.open(), bed.open()].map(({ commands }) => commands.executor);
      const verdicts = await Promise.all(
        upTo(25).flatMap(() => executors.map((executor) => executor.commit({ ...oneOf(), idempotency: used }))),
      );
      const {
        accepted,
        seen = 0,
        'in-flight': inFlight = 0,
        ...others
      } = tallyOf(verdicts.map(({ verdict }) => verdict));
      expect([accepted, seen + inFlight, others]).toEqual([1, 49, {}]);
    });

    test('a key is forgotten after a day, not before', async () => {
      const { write, commands } = bed.open();
      const [old, young] = [key(), key()];
      for (const used of [old, young]) await commands.executor.commit({ ...oneOf(), idempotency: used });
      await bed.sql(`update idempotency set created_at = now() - interval '25 hours' where key = $1`, [old.key]);
      expect(await write.records.forgetOld()).toBe(1);
      expect([await write.records.find(old), await write.records.find(young)]).toEqual([undefined, expect.anything()]);
    });
  });
};
