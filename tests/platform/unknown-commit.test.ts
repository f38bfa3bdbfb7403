import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Commit } from '../../src/platform/commit/commit.ts';
import { settle } from '../../src/platform/commit/settle.ts';
import { publishedOf } from '../../src/platform/event-store/published.ts';
import { statement } from '../../src/platform/sql/database.ts';
import { until } from '../support/until.ts';
import { testBed, upTo } from './bed.ts';
import { appendTo, commitOf, freshStream, noteTable } from './notes.ts';
import { openProxy } from './proxy.ts';

const bed = testBed();
let proxy: Awaited<ReturnType<typeof openProxy>>;
beforeEach(async () => {
  proxy = await openProxy(bed.address());
});
afterEach(() => proxy.close());

type Told = { readonly told: string; readonly after: number };
const tell = async (commit: Promise<{ readonly verdict: string }>): Promise<Told> => {
  const began = performance.now();
  const told = await commit.then(
    ({ verdict }) => verdict,
    (error: Error) => error.name,
  );
  return { told, after: performance.now() - began };
};
const rowOf = (id: string) => ({ upsert: noteTable, row: { id, version: 1, text: 'x', length: 1 } });
const rowIsThere = async (id: string) => (await bed.sql('select 1 from note_list where id = $1', [id])).length === 1;
/** Connections that have stood since before the break: what is tried is COMMIT, and not connecting. */
const connected = async () => {
  const kit = bed.open(proxy.address);
  await Promise.all(upTo(3).map(() => kit.health()));
  const { executor } = kit.commands;
  await executor.commit(commitOf(appendTo(freshStream(), 0)));
  return executor;
};
/** Until it can be told in time: of a connection that is silent the driver says so 400 ms before nothing can be said. */
const toldInTime = async <T extends Told>(commit: () => Promise<T>): Promise<T> =>
  until('what became of it to be told in time', async () => {
    const answer = await commit();
    expect(answer.after).toBeLessThan(5_000);
    return answer.told === 'OutcomeUnknown' ? undefined : answer;
  });

describe('when the connection breaks at COMMIT, what is told is what happened', () => {
  const kinds: readonly [string, () => { commit: Commit; isStored: () => Promise<boolean> }][] = [
    [
      'a commit with events',
      () => {
        const stream = freshStream();
        const isStored = async () => (await bed.versions(stream)).length === 1;
        return { commit: commitOf(appendTo(stream, 0)), isStored };
      },
    ],
    [
      'a commit with rows alone',
      () => {
        const id = randomUUID();
        return { commit: { ...commitOf(), writes: [rowOf(id)] }, isStored: () => rowIsThere(id) };
      },
    ],
    [
      'a commit with a reservation alone',
      () => {
        const value = randomUUID();
        const isStored = async () =>
          (await bed.sql('select 1 from reservation where value = $1', [value])).length === 1;
        return { commit: { ...commitOf(), take: [{ scope: 'name', value, holder: 'x' }] }, isStored };
      },
    ],
  ];
  describe.each(kinds)('%s', (_kind, make) => {
    test.each([
      ['cut-before', 'DatabaseUnavailable', false],
      ['cut-after', 'accepted', true],
    ] as const)('%s: %s', async (how, told, stored) => {
      const executor = await connected();
      const { commit, isStored } = make();
      proxy.breakNext(how);
      const answer = await tell(executor.commit(commit));
      expect(answer.told).toBe(told);
      expect(await isStored()).toBe(stored);
      expect(answer.after).toBeLessThan(5_000);
      const next = await tell(executor.commit(commitOf(appendTo(freshStream(), 0))));
      expect(next.told, 'the next command goes on').toBe('accepted');
    });
  });

  test('what was settled says where it lies, as if nothing had happened', async () => {
    const executor = await connected();
    const stream = freshStream();
    proxy.breakNext('cut-after');
    const verdict = await executor.commit(commitOf(appendTo(stream, 0, 2)));
    const stored = await bed.sql('select topic, lane, era, tx::text, position::int from event where stream = $1', [
      stream,
    ]);
    const places = stored.map(({ topic, lane, era, tx, position }) => ({ topic, lane, at: { era, tx, position } }));
    expect(places).toHaveLength(2);
    expect(verdict).toEqual({ verdict: 'accepted', published: publishedOf(places) });
  });

  test('the answer to COMMIT never comes: it is looked up elsewhere', async () => {
    const executor = await connected();
    const { stream, told } = await toldInTime(async () => {
      const stream = freshStream();
      proxy.breakNext('unanswered');
      return { stream, ...(await tell(executor.commit(commitOf(appendTo(stream, 0))))) };
    });
    expect(told).toBe('accepted');
    expect(await bed.versions(stream)).toEqual([1]);
  });

  test('a batch of 64, cut 12 times at random sides: each is accepted exactly when it is stored', async () => {
    const executor = await connected();
    const told: string[] = [];
    for (const round of upTo(12)) {
      const streams = upTo(64).map(() => freshStream());
      proxy.breakNext(round % 2 ? 'cut-before' : 'cut-after');
      const answers = await Promise.all(streams.map((stream) => tell(executor.commit(commitOf(appendTo(stream, 0))))));
      const rows = await bed.sql<{ stream: string }>('select stream from event where stream = any($1)', [streams]);
      const stored = new Set(rows.map(({ stream }) => stream));
      for (const [n, stream] of streams.entries()) {
        expect(answers[n]?.told).toBe(stored.has(stream) ? 'accepted' : 'DatabaseUnavailable');
      }
      told.push(...answers.map((answer) => answer.told));
    }
    expect(new Set(told), 'both were seen').toEqual(new Set(['accepted', 'DatabaseUnavailable']));
  });

  test('its backend is ended while COMMIT is under way: not accepted, and not stored', async () => {
    await bed.sql(`
      create function slow_commit() returns trigger language plpgsql as $$ begin perform pg_sleep(1); return null; end $$;
      create constraint trigger slow_commit after insert on note_list deferrable initially deferred
        for each row when (new.text = 'slow') execute function slow_commit();
      grant execute on function slow_commit to public`);
    const { executor } = bed.open().commands;
    const [stream, id] = [freshStream(), randomUUID()];
    const row = { ...rowOf(id), row: { id, version: 1, text: 'slow', length: 1 } };
    const answer = tell(executor.commit({ ...commitOf(appendTo(stream, 0)), writes: [row] }));
    let ended: unknown[] = [];
    while (ended.length === 0) {
      ended = await bed.sql(
        `select pg_terminate_backend(pid) from pg_stat_activity where query = 'commit' and state = 'active' and datname = current_database()`,
      );
    }
    expect((await answer).told).toBe('DatabaseUnavailable');
    expect([await bed.versions(stream), await rowIsThere(id)]).toEqual([[], false]);
  });

  test('COMMIT is still under way when its connection is cut: nobody is answered before it is over', async () => {
    const executor = await connected();
    const [stream, id] = [freshStream(), randomUUID()];
    proxy.breakNext('cut-after');
    const row = { ...rowOf(id), row: { id, version: 1, text: 'slow', length: 1 } };
    const answer = await tell(executor.commit({ ...commitOf(appendTo(stream, 0)), writes: [row] }));
    const stored = (await bed.versions(stream)).length === 1;
    expect(answer.told).toBe(stored ? 'accepted' : 'DatabaseUnavailable');
    expect(answer.after, 'the control: it did take its second').toBeGreaterThan(900);
    expect(await rowIsThere(id)).toBe(stored);
  });
});

describe('when the database falls silent, an answer comes within 5 s, and never a wrong one', () => {
  test('at COMMIT: the outcome is unknown, and said to be', async () => {
    const executor = await connected();
    const stream = freshStream();
    proxy.breakNext('all-silent');
    const answer = await tell(executor.commit(commitOf(appendTo(stream, 0))));
    expect(answer.told).toBe('OutcomeUnknown');
    expect(answer.after).toBeLessThan(5_000);
    proxy.speak();
    await sleep(100);
    expect(await bed.versions(stream)).toEqual([]);
    const again = await tell(executor.commit(commitOf(appendTo(stream, 0))));
    expect(['accepted', 'DatabaseUnavailable'], 'once it speaks again, it goes on').toContain(again.told);
  });

  test('before COMMIT was sent: nothing happened, and that is known', async () => {
    const executor = await connected();
    const stream = freshStream();
    proxy.breakNext('all-silent', 'begin\0');
    const answer = await tell(executor.commit(commitOf(appendTo(stream, 0))));
    expect(answer.told).toBe('DatabaseUnavailable');
    expect(answer.after).toBeLessThan(5_000);
    expect(await bed.versions(stream)).toEqual([]);
  });

  test('on one connection only: reads and commits go on over others', async () => {
    const kit = bed.open(proxy.address);
    await Promise.all(upTo(3).map(() => kit.health()));
    proxy.breakNext('silent', 'begin\0');
    const [lost, ...others] = await Promise.all(
      upTo(3).map(() => tell(kit.commands.executor.commit(commitOf(appendTo(freshStream(), 0))))),
    );
    expect([lost, ...others].map((answer) => answer?.told)).toEqual(upTo(3).map(() => 'DatabaseUnavailable'));
    expect((await tell(kit.commands.executor.commit(commitOf(appendTo(freshStream(), 0))))).told).toBe('accepted');
    await kit.health();
  });
});

describe('a transaction’s number is believed only where it was given', () => {
  const elsewhere = '9000000000000000';
  test('a server that has not come to it looks for the event', async () => {
    const { database, executor } = { ...bed.open(), ...bed.open().commands };
    const append = appendTo(freshStream(), 0);
    const id = append.events[0]?.id;
    expect(await settle(database, elsewhere, id)).toBe(false);
    await executor.commit(commitOf(append));
    expect(await settle(database, elsewhere, id)).toBe(true);
  });

  test('and without one the outcome stays unknown, at once', async () => {
    await expect(settle(bed.open().database, elsewhere, undefined)).rejects.toThrow('whether it was done is not known');
  });

  test('a number that it did give is told as it ended', async () => {
    const { database } = bed.open();
    const number = statement('test-number', 'select pg_current_xact_id()::text as tx');
    const [{ tx } = { tx: '' }] = await database.write<{ tx: string }>(number, []);
    expect(await settle(database, tx, undefined)).toBe(true);
    await bed.sql('begin');
    const [{ tx: aborted } = { tx: '' }] = await bed.sql('select pg_current_xact_id()::text as tx');
    const open = settle(database, aborted, undefined);
    await sleep(120);
    await bed.sql('rollback');
    expect(await open, 'it waited for the end').toBe(false);
  });
});
