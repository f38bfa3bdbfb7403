/** What one request led to, found again. */
import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { type Bed, upTo } from '../bed.ts';
import { appendTo, commitOf, freshStream, newEvent } from '../notes.ts';

export const correlatedSuite = (bed: Bed): void => {
  describe('of a request', () => {
    test('all events are found by its id, however much lies between them, the oldest first', async () => {
      const { store, executor } = bed.open().commands;
      const correlationId = randomUUID();
      const ours = (stream: string) => {
        const event = newEvent(stream, 1);
        return { stream, expected: 0, events: [{ ...event, metadata: { ...event.metadata, correlationId } }] };
      };
      const streams = upTo(4).map(freshStream);
      for (const stream of streams) {
        await executor.commit(commitOf(ours(stream)));
        await executor.commit(commitOf(appendTo(stream, 1, 2), appendTo(freshStream(), 0, 3)));
      }
      const found = await store.correlated(correlationId, 10);
      expect(found.map(({ stream, version }) => `${stream}@${version}`)).toEqual(
        streams.map((stream) => `${stream}@1`),
      );
      expect(await store.correlated(correlationId, 2)).toEqual(found.slice(0, 2));
      expect(await store.correlated(randomUUID(), 10)).toEqual([]);
    });

    test('any event is found by its own id', async () => {
      const { store, executor } = bed.open().commands;
      const append = appendTo(freshStream(), 0, 2);
      await executor.commit(commitOf(append));
      const id = append.events[1]?.id ?? '';
      expect(await store.find(id)).toMatchObject({ id, stream: append.stream, version: 2 });
      expect(await store.find(randomUUID())).toBeUndefined();
    });
  });
};
