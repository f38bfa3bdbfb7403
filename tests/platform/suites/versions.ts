/** What holds for the versions of streams, on whatever server. */
import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { handle } from '../../../src/platform/commit/command-handler.ts';
import { type Bed, upTo } from '../bed.ts';
import { appendTo, commitOf, context, freshStream, notes } from '../notes.ts';
import { inProcesses, inThisProcess, type Job, type Tally } from '../writers.ts';

export const versionsSuite = (bed: Bed): void => {
  const noteIds = async (count: number): Promise<readonly string[]> => {
    const kit = bed.open();
    const ids = Array.from({ length: count }, () => randomUUID());
    const write = { type: 'Write', ownerId: 'ada', text: 'first' } as const;
    await Promise.all(ids.map((id) => handle(kit.commands, notes, id, write, context(), { isNew: true })));
    return ids;
  };
  /** Every stream has the versions 1..n without a gap; answers how many events were stored after the births. */
  const storedAfterBirth = async (ids: readonly string[]): Promise<number> => {
    let stored = 0;
    for (const id of ids) {
      const versions = await bed.versions(`note-${id}`);
      expect(versions).toEqual(upTo(versions.length));
      stored += versions.length - 1;
    }
    return stored;
  };

  describe('a stream takes events only at the version that was seen', () => {
    test('at that version they are stored, at any other nothing is', async () => {
      const { executor } = bed.open().commands;
      const stream = freshStream();
      expect(await executor.commit(commitOf(appendTo(stream, 1)))).toEqual({ verdict: 'stale' });
      expect(await bed.versions(stream)).toEqual([]);
      expect(await executor.commit(commitOf(appendTo(stream, 0, 3)))).toMatchObject({ verdict: 'accepted' });
      for (const wrong of [0, 2, 4]) {
        expect(await executor.commit(commitOf(appendTo(stream, wrong)))).toEqual({ verdict: 'stale' });
      }
      expect(await bed.versions(stream)).toEqual([1, 2, 3]);
      expect(await executor.commit(commitOf(appendTo(stream, 3)))).toMatchObject({ verdict: 'accepted' });
      expect(await bed.versions(stream)).toEqual([1, 2, 3, 4]);
    });

    test('the table itself refuses a second event of a version, were the executor to let it through', async () => {
      const stream = freshStream();
      const { executor } = bed.open().commands;
      await executor.commit(commitOf(appendTo(stream, 0)));
      const again = bed.sql(
        `insert into event (era, id, stream, version, topic, key, lane, type, schema_version, data, metadata)
         select era, gen_random_uuid(), stream, version, topic, key, lane, type, schema_version, data, metadata
         from event where stream = $1`,
        [stream],
      );
      await expect(again).rejects.toThrow(/event_stream_version_key/);
    });
  });

  describe('64 writers lose nothing and store nothing twice', () => {
    const places: readonly [string, number, (job: Job) => Promise<Tally>][] = [
      ['in one process', 1, inThisProcess],
      ['in two processes, 32 in each', 2, (job) => inProcesses(2, job)],
    ];
    for (const [place, processes, run] of places) {
      for (const streams of [1, 32]) {
        test(`commands on ${streams === 1 ? 'one stream' : 'many streams'}, ${place}: each is done`, async () => {
          const ids = await noteIds(streams);
          const job: Job = { address: bed.address(), by: 'commands', ids, writers: 64 / processes, rounds: 2 };
          expect(await run(job)).toEqual({ done: 64 * 2 });
          expect(await storedAfterBirth(ids)).toBe(64 * 2);
          const rows = await bed.sql(
            `select n.id from note_list n where n.id = any($1)
             and n.version = (select max(e.version) from event e where e.stream = 'note-' || n.id)`,
            [ids],
          );
          expect(rows, 'the row of each is that of its last event').toHaveLength(streams);
        });

        test(`bare commits on ${streams === 1 ? 'one stream' : 'many streams'}, ${place}: verdicts add up`, async () => {
          const ids = await noteIds(streams);
          const job: Job = { address: bed.address(), by: 'commits', ids, writers: 64 / processes, rounds: 3 };
          const { accepted = 0, stale = 0, busy = 0, ...others } = await run(job);
          expect(others).toEqual({});
          expect(accepted + stale + busy).toBe(64 * 3);
          expect(await storedAfterBirth(ids)).toBe(accepted);
          expect(accepted).toBeGreaterThan(0);
          if (streams === 1) expect(stale, 'they did get into each other’s way').toBeGreaterThan(0);
        });
      }
    }
  });
};
