import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { comparePositions, type FeedPosition } from './event.ts';
import { isPublic, publishedOf, together } from './published.ts';

const position = fc.record({
  era: fc.integer({ min: 1, max: 2 }),
  tx: fc.constantFrom('9', '10', '99', '100'),
  position: fc.integer({ min: 1, max: 9 }),
});
const event = fc.record({
  topic: fc.constantFrom('note.events', 'note.events.private', 'other.events'),
  lane: fc.integer({ min: 0, max: 3 }),
  at: position,
});
const newest = (places: readonly FeedPosition[]) => places.toSorted(comparePositions).at(-1);
const sorted = (published: ReturnType<typeof publishedOf>) =>
  published && { ...published, lanes: published.lanes.map((lane) => JSON.stringify(lane)).toSorted() };

describe('what was published', () => {
  test('is the first public event, and the last of each lane, in whatever order they are told', () => {
    fc.assert(
      fc.property(fc.array(event), (events) => {
        const heard = events.filter(({ topic }) => isPublic(topic));
        const published = publishedOf(events);
        expect(published === undefined).toBe(heard.length === 0);
        if (published === undefined) return;
        expect(published.first).toEqual(heard.map(({ at }) => at).toSorted(comparePositions)[0]);
        const lanes = Map.groupBy(heard, ({ topic, lane }) => `${topic}/${lane}`);
        expect(published.lanes.map(({ topic, lane }) => `${topic}/${lane}`).toSorted()).toEqual(
          [...lanes.keys()].toSorted(),
        );
        for (const { topic, lane, last } of published.lanes) {
          expect(last).toEqual(newest(lanes.get(`${topic}/${lane}`)?.map(({ at }) => at) ?? []));
        }
      }),
    );
  });

  test('by several commits is what would be said of one', () => {
    fc.assert(
      fc.property(fc.array(fc.array(event, { maxLength: 4 }), { maxLength: 4 }), (commits) => {
        expect(sorted(together(commits.map(publishedOf)))).toEqual(sorted(publishedOf(commits.flat())));
      }),
    );
  });

  test('has at most 64 places of a topic', () => {
    const events = Array.from({ length: 1_000 }, (_, n) => ({
      topic: 'note.events',
      lane: n % 64,
      at: { era: 1, tx: '7', position: n },
    }));
    expect(publishedOf(events)?.lanes).toHaveLength(64);
  });
});
