/** Where the events of a write lie, as its verdict tells it and as the store finds it again, on whatever server. */
import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Append, Verdict } from '../../../src/platform/commit/commit.ts';
import type { Metadata } from '../../../src/platform/event-store/event.ts';
import { type Published, publishedOf } from '../../../src/platform/event-store/published.ts';
import { type Bed, upTo } from '../bed.ts';
import { appendTo, commitOf, freshStream, guard, newEvent } from '../notes.ts';

const publishedIn = (verdict: Verdict): Published | undefined => {
  if (verdict.verdict !== 'accepted') throw new Error(verdict.verdict);
  return verdict.published;
};
const inOrder = (published: Published | undefined): unknown =>
  published && { ...published, lanes: published.lanes.toSorted((one, other) => one.lane - other.lane) };

export const publishedSuite = (bed: Bed): void => {
  const asStored = async (streams: readonly string[]): Promise<unknown> => {
    const rows = await bed.sql<{ topic: string; lane: number; era: number; tx: string; position: string }>(
      'select topic, lane, era, tx::text, position from event where stream = any($1)',
      [streams],
    );
    const places = rows.map(({ topic, lane, era, tx, position }) => ({
      topic,
      lane,
      at: { era, tx, position: Number(position) },
    }));
    return inOrder(publishedOf(places));
  };
  const withTopic = (append: Append, topic: string): Append => ({
    ...append,
    events: append.events.map((event) => ({ ...event, topic })),
  });

  describe('an accepted commit says where its public events lie', () => {
    test('each for itself, though 64 travel together: the last of each of its lanes, of all its streams', async () => {
      const { executor } = bed.open().commands;
      const commits = upTo(64).map(() => upTo(3).map((n) => appendTo(freshStream(), 0, n)));
      const verdicts = await Promise.all(commits.map((appends) => executor.commit(commitOf(...appends))));
      for (const [n, appends] of commits.entries()) {
        const verdict = verdicts[n];
        if (verdict === undefined) throw new Error('no verdict');
        expect(inOrder(publishedIn(verdict))).toEqual(await asStored(appends.map(({ stream }) => stream)));
      }
      const transactions = new Set(verdicts.map((verdict) => publishedIn(verdict)?.first.tx));
      expect(transactions.size, 'the control: they did travel together').toBeLessThan(64);
    });

    test('of several events of a key the last one', async () => {
      const verdict = await bed.open().commands.executor.commit(commitOf(appendTo(freshStream(), 0, 3)));
      const published = publishedIn(verdict);
      const [end] = published?.lanes ?? [];
      expect(published?.lanes).toHaveLength(1);
      expect((end?.last.position ?? 0) - (published?.first.position ?? 0)).toBe(2);
    });

    test('nothing of private ones, and nothing where nothing was appended', async () => {
      const { executor } = bed.open().commands;
      const [heard, kept] = [
        appendTo(freshStream(), 0, 2),
        withTopic(appendTo(freshStream(), 0, 2), 'note.events.private'),
      ];
      const both = publishedIn(await executor.commit(commitOf(kept, heard)));
      expect(inOrder(both)).toEqual(await asStored([heard.stream]));
      expect(
        publishedIn(await executor.commit(commitOf(withTopic(appendTo(freshStream(), 0), 'x.private')))),
      ).toBeUndefined();
      expect(publishedIn(await executor.commit(commitOf(guard(heard.stream, 2))))).toBeUndefined();
    });
  });

  describe('the store finds again where the events of a request lie', () => {
    const request = (): Metadata => {
      const id = randomUUID();
      return { correlationId: id, causationId: id, requestId: id, actor: 'ada', occurredAt: new Date().toISOString() };
    };
    const writtenBy = (metadata: Metadata, stream = freshStream(), version = 1, topic = 'note.events'): Append => ({
      stream,
      expected: version - 1,
      events: [newEvent(stream, version, { metadata, topic })],
    });

    test('of all its commits and streams, by any of them; nothing of what came of it, or of others', async () => {
      const { executor, store } = bed.open().commands;
      const mine = request();
      const [one, two, three] = [writtenBy(mine), writtenBy(mine), writtenBy(mine)];
      const hidden = writtenBy(mine, undefined, 1, 'note.events.private');
      await executor.commit(commitOf(hidden, one, two, writtenBy(request())));
      await executor.commit(commitOf(three));
      const written = await asStored([one, two, three].map(({ stream }) => stream));
      await executor.commit(commitOf(writtenBy({ ...mine, causationId: randomUUID() }, one.stream, 2)));
      for (const { stream } of [one, two, three, hidden]) {
        expect(inOrder(await store.publishedWith(stream, 1))).toEqual(written);
      }
      expect((await store.publishedWith(one.stream, 2))?.lanes, 'what came of it is a write of its own').toHaveLength(
        1,
      );
    });

    test('as the verdict told it; undefined where a request said nothing to others', async () => {
      const { executor, store } = bed.open().commands;
      const mine = request();
      const appends = upTo(5).map(() => writtenBy(mine));
      const told = publishedIn(await executor.commit(commitOf(...appends)));
      expect(inOrder(await store.publishedWith(appends[0]?.stream ?? '', 1))).toEqual(inOrder(told));
      const hidden = writtenBy(request(), undefined, 1, 'note.events.private');
      await executor.commit(commitOf(hidden));
      expect(await store.publishedWith(hidden.stream, 1)).toBeUndefined();
      expect(await store.publishedWith(freshStream(), 1)).toBeUndefined();
    });
  });
};
