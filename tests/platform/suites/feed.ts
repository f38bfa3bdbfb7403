/** What holds for readers of the feed, on whatever server. */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterEach, describe, expect, test } from 'vitest';
import { appendArguments } from '../../../src/platform/commit/batch.ts';
import type { Commit } from '../../../src/platform/commit/commit.ts';
import { FEED_START, type FeedPosition, type StoredEvent } from '../../../src/platform/event-store/event.ts';
import type { EventStore } from '../../../src/platform/event-store/store.ts';
import { type Bed, upTo } from '../bed.ts';
import { appendTo, commitOf, freshStream, SCHEMA } from '../notes.ts';

export const feedSuite = (bed: Bed): void => {
  const clients: pg.Client[] = [];
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.end()));
  });
  /** A writer whose transactions stay open as long as the test likes. */
  const slowWriter = async () => {
    const client = new pg.Client({ ...bed.address(), options: `-c role=${SCHEMA} -c search_path=${SCHEMA}` });
    clients.push(client);
    await client.connect();
    const [{ era } = { era: 0 }] = (await client.query('select current_era() as era')).rows;
    return {
      begin: async (commit: Commit) => {
        await client.query('begin');
        await client.query('select append($1, $2, $3, $4, $5, $6)', [...appendArguments(era, [commit])]);
      },
      end: (how: 'commit' | 'rollback') => client.query(how),
    };
  };
  /** Reads on from where it is, page by page, until there is nothing more just now. */
  const follow = (store: EventStore, from: FeedPosition, limit: number) => {
    const seen: StoredEvent[] = [];
    return {
      seen,
      poll: async () => {
        for (;;) {
          const page = await store.feed(seen.at(-1)?.at ?? from, limit);
          seen.push(...page);
          if (page.length < limit) return;
        }
      },
    };
  };
  /** Where the feed ends now, once all that was committed is shown. */
  const endOfFeed = async (store: EventStore): Promise<FeedPosition> => {
    const [newest] = await bed.sql('select id from event order by era desc, tx desc, position desc limit 1');
    const reader = follow(store, FEED_START, 500);
    while (newest && reader.seen.at(-1)?.id !== newest.id) await reader.poll();
    return reader.seen.at(-1)?.at ?? FEED_START;
  };

  describe('the feed shows every event once, in an order that agrees with every stream', () => {
    test('under 16 writers with random holds and a transaction held open, where a cursor on the position skips some', async () => {
      const { store } = bed.open().commands;
      const start = await endOfFeed(store);
      const [{ last } = { last: 0 }] = await bed.sql('select coalesce(max(position), 0)::integer as last from event');
      const streams = upTo(16).map(() => freshStream());
      const [heldStream, held] = [freshStream(), await slowWriter()];
      await held.begin(commitOf(appendTo(heldStream, 0, 2)));

      const write = async (stream: string) => {
        const writer = await slowWriter();
        for (let version = 0; version < 12; version += 1) {
          await writer.begin(commitOf(appendTo(stream, version)));
          await sleep(Math.random() * 30);
          // One in six is rolled back and done again: positions have gaps for ever.
          const abandoned = Math.random() < 1 / 6;
          await writer.end(abandoned ? 'rollback' : 'commit');
          if (abandoned) version -= 1;
        }
      };
      let writing = true;
      const written = Promise.all([...streams.map(write), sleep(400).then(() => held.end('commit'))]).then(() => {
        writing = false;
      });

      const total = 16 * 12 + 2;
      const reader = follow(store, start, 7);
      const naive: { id: string; position: number }[] = [];
      const readNaively = async () => {
        const rows = await bed.sql<{ id: string; position: number }>(
          'select id, position::integer as position from event where position > $1 order by position',
          [naive.at(-1)?.position ?? last],
        );
        naive.push(...rows);
      };
      while (writing || reader.seen.length < total) {
        await Promise.all([reader.poll(), readNaively()]);
        await sleep(2);
      }
      await written;
      await Promise.all([reader.poll(), readNaively()]);

      expect(reader.seen).toHaveLength(total);
      expect(new Set(reader.seen.map(({ id }) => id)).size).toBe(total);
      for (const stream of streams) {
        const versions = reader.seen.filter((event) => event.stream === stream).map(({ version }) => version);
        expect(versions).toEqual(upTo(12));
      }
      expect(naive.length, 'a reader that proves nothing: it skipped no event either').toBeLessThan(total);
    });

    test('two processes that take turns on one stream never appear in the wrong order', async () => {
      const [one, two] = [bed.open().commands, bed.open().commands];
      const start = await endOfFeed(one.store);
      const stream = freshStream();
      for (let version = 0; version < 30; version += 1) {
        const { executor } = version % 2 ? one : two;
        expect(await executor.commit(commitOf(appendTo(stream, version)))).toMatchObject({ verdict: 'accepted' });
      }
      const reader = follow(two.store, start, 100);
      while (reader.seen.length < 30) await reader.poll();
      expect(reader.seen.map(({ version }) => version)).toEqual(upTo(30));
    });
  });

  test('of two transactions the one that began to write first comes first, even where its position came later', async () => {
    const { store, executor } = bed.open().commands;
    const start = await endOfFeed(store);
    const next = async () => (await bed.sql<{ tx: string }>('select pg_current_xact_id()::text as tx'))[0]?.tx;
    const [first, second] = [await next(), await next()];
    const pattern = freshStream();
    await executor.commit(commitOf(appendTo(pattern, 0)));
    // Such a crossing takes two processes and a few microseconds; the superuser can make one.
    await bed.sql(
      `insert into event (position, tx, era, id, stream, version, topic, key, lane, type, schema_version, data, metadata)
       overriding system value
       select e.position + crossed.later, crossed.tx::xid8, e.era, gen_random_uuid(), 'crossed-' || crossed.tx, 1, topic, key,
         lane, type, schema_version, data, metadata
       from event e, (values ($1, 1000000), ($2, 0)) crossed(tx, later) where e.stream = $3`,
      [first, second, pattern],
    );
    const reader = follow(store, start, 1);
    while (reader.seen.length < 3) await reader.poll();
    expect(reader.seen.map(({ stream }) => stream)).toEqual([`crossed-${first}`, `crossed-${second}`, pattern]);
  });

  describe('a transaction that is still writing holds the feed back, and nothing is lost by it', () => {
    test.each([
      ['commits', 2],
      ['is rolled back', 1],
    ] as const)('what is committed beside it is shown after it %s', async (how, shown) => {
      const { store, executor } = bed.open().commands;
      const start = await endOfFeed(store);
      const [slow, quick] = [freshStream(), freshStream()];
      const writer = await slowWriter();
      await writer.begin(commitOf(appendTo(slow, 0)));
      await executor.commit(commitOf(appendTo(quick, 0)));
      const reader = follow(store, start, 100);
      for (let poll = 0; poll < 5; poll += 1) await reader.poll();
      expect(reader.seen, 'it could come to lie before it').toEqual([]);
      expect((await store.load(quick)).length, 'only the feed waits').toBe(1);

      await writer.end(how === 'commits' ? 'commit' : 'rollback');
      while (reader.seen.length < shown) await reader.poll();
      expect(reader.seen.map(({ stream }) => stream)).toEqual([slow, quick].slice(-shown));
    });
  });

  describe('an append is the first write of its transaction', () => {
    test('after another write it is refused, and so is a second one', async () => {
      for (const before of ["insert into reservation values ('name', 'x', 'y')", 'select pg_current_xact_id()']) {
        const writer = await slowWriter();
        const client = clients.at(-1);
        await client?.query('begin');
        await client?.query(before);
        const late = client?.query('select append(1, $1, $1, $1, $1, $1)', ['[]']);
        await expect(late).rejects.toThrow('append must be the first write of its transaction');
        await writer.end('rollback');
      }
      const writer = await slowWriter();
      await writer.begin(commitOf(appendTo(freshStream(), 0)));
      const second = clients.at(-1)?.query('select append(1, $1, $1, $1, $1, $1)', ['[]']);
      await expect(second).rejects.toThrow('append must be the first write of its transaction');
    });
  });
};
