import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Fetched, Fetcher } from './fetcher.ts';
import { lagOf } from './lag.ts';

const TOPIC = 'note.events';
const HOUR = 3_600_000;
const ago = (ms: number) => BigInt(Date.now() - ms);
/** What lies in a partition from an offset on: one record, so old. */
const came = (topic: string, partition: number, offset: bigint, age: number): Fetched => {
  const record = { offset, timestamp: ago(age), key: null, value: null, headers: [] };
  return { topic, partition, offset, records: [record], next: offset + 1n };
};
/** Partitions that end at 5, and polls that answer so, one after the other, and nothing from then on. */
const answering = (...polls: readonly (readonly Fetched[])[]): Fetcher => {
  const left = [...polls];
  return {
    shapes: async () => new Map([[TOPIC, { id: 'id', partitions: 2 }]]),
    offsets: async () => new Map([[TOPIC, [5n, 5n]]]),
    poll: async (_spots, ms) => {
      const next = left.shift();
      if (next === undefined) await pause(ms);
      return next ?? [];
    },
    close: async () => undefined,
  };
};
const at = (...offsets: readonly number[]) => ({
  cursors: new Map(offsets.map((offset, partition) => [`${TOPIC}/${partition}`, `id:${offset}`])),
});

test('who has read all is behind by nothing, and no record is asked for', async () => {
  expect(await lagOf(answering([came(TOPIC, 0, 4n, HOUR)]), [TOPIC], at(5, 5))).toEqual({ events: 0, seconds: 0 });
});
test('what a look before this one asked for says nothing of this one', async () => {
  const others = [came('user.events', 0, 3n, 0), came(TOPIC, 0, 1n, 9 * HOUR)];
  const fetcher = answering(others, [came(TOPIC, 0, 3n, HOUR)], [came(TOPIC, 1, 4n, 2 * HOUR)]);
  const { events, seconds } = await lagOf(fetcher, [TOPIC], at(3, 4));
  expect(events).toBe(3);
  expect(seconds).toBeGreaterThanOrEqual(7_200);
  expect(seconds).toBeLessThan(7_300);
});
test('of what came so far, the oldest', async () => {
  const { seconds } = await lagOf(answering([came(TOPIC, 0, 3n, HOUR)]), [TOPIC], at(3, 4));
  expect(seconds).toBeGreaterThanOrEqual(3_600);
});
test('where nothing comes it is not known, and not told as none', async () => {
  expect(await lagOf(answering(), [TOPIC], at(3, 4))).toEqual({ events: 3, seconds: null });
});
test('the marks of transactions at the end of a partition, which nobody reads past, are nothing to be behind by', async () => {
  const mark = (partition: number, offset: bigint, next: bigint) => ({
    topic: TOPIC,
    partition,
    offset,
    records: [],
    next,
  });
  const nothing = { events: 0, seconds: 0 };
  expect(await lagOf(answering([mark(0, 4n, 5n), mark(1, 3n, 5n)]), [TOPIC], at(4, 3))).toEqual(nothing);
  expect(await lagOf(answering([mark(0, 3n, 4n)], [mark(0, 4n, 5n)]), [TOPIC], at(3, 5)), 'one by one').toEqual(
    nothing,
  );
});
test('what lies behind such marks is behind, and as old as it is', async () => {
  const mark = { topic: TOPIC, partition: 0, offset: 2n, records: [], next: 3n };
  const { events, seconds } = await lagOf(answering([mark], [came(TOPIC, 0, 3n, HOUR)]), [TOPIC], at(2, 5));
  expect(events).toBe(2);
  expect(seconds).toBeGreaterThanOrEqual(3_600);
});
