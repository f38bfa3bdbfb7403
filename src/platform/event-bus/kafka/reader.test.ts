import { expect, test } from 'vitest';
import { NOBODYS } from '../bus.ts';
import { cursorsAfter, type Standing } from '../lanes.ts';
import type { FetchedRecord, Fetcher } from './fetcher.ts';
import type { Membership } from './membership.ts';
import { openKafkaReader } from './reader.ts';

const TOPIC = 'note.events';
const MEGABYTE = 1024 * 1024;

/** A topic of some partitions, each with records of such sizes. */
const holding = (...sizes: readonly (readonly number[])[]): { fetcher: Fetcher; membership: Membership } => {
  const partitions = sizes.map((ofPartition) =>
    ofPartition.map((size, n): FetchedRecord => {
      return { offset: BigInt(n), timestamp: 0n, key: null, value: Buffer.alloc(size, 'x'), headers: [] };
    }),
  );
  const fetcher: Fetcher = {
    shapes: async () => new Map([[TOPIC, { id: 'id', partitions: sizes.length }]]),
    offsets: async () => new Map([[TOPIC, sizes.map(() => 0n)]]),
    poll: async (spots) =>
      spots.map((spot) => {
        const records = (partitions[spot.partition] ?? []).slice(Number(spot.offset));
        return { ...spot, records, next: spot.offset + BigInt(records.length) };
      }),
    close: async () => undefined,
  };
  const parts = new Set(sizes.map((_, partition) => `${TOPIC}/${partition}`));
  const membership: Membership = {
    current: async () => ({ generation: 1, parts }),
    tell: async () => undefined,
    close: async () => undefined,
  };
  return { fetcher, membership };
};

/** How many records each slice has, until there are none left. */
const slicesOf = async (
  { fetcher, membership }: ReturnType<typeof holding>,
  taken: (records: number) => void = () => undefined,
): Promise<readonly number[]> => {
  const reader = openKafkaReader('note', [TOPIC], NOBODYS, fetcher, membership);
  let standing: Standing = { start: { era: 0, tx: '0', position: 0 }, cursors: new Map(), lanes: new Map() };
  const slices: number[] = [];
  await reader.holds();
  for (;;) {
    const { deliveries, strays = [], cursors } = await reader.next(standing);
    if (cursors.length === 0) return slices;
    slices.push(deliveries.length + strays.length);
    taken(deliveries.length + strays.length);
    standing = { ...standing, cursors: cursorsAfter(standing, cursors) };
  }
};

test('a slice holds 200 records', async () => {
  expect(await slicesOf(holding(Array(450).fill(10)))).toEqual([200, 200, 50]);
});
test('a slice holds no more than one commit can park', async () => {
  expect(await slicesOf(holding(Array(5).fill(3 * MEGABYTE)))).toEqual([2, 2, 1]);
  expect(await slicesOf(holding([MEGABYTE, 9 * MEGABYTE, MEGABYTE]))).toEqual([1, 1, 1]);
});
test('a large record of one partition holds up no other for longer than a slice', async () => {
  expect(await slicesOf(holding([6 * MEGABYTE, 10], [6 * MEGABYTE, 10], [10]))).toEqual([2, 3]);
});
test('what waits to be handled is bounded, however fast brokers send', async () => {
  const { fetcher, membership } = holding(Array(40).fill(MEGABYTE), Array(40).fill(MEGABYTE), Array(40).fill(MEGABYTE));
  let sent = 0;
  const fast: Fetcher = {
    ...fetcher,
    poll: async (spots, ms) => {
      const came = await fetcher.poll(spots, ms);
      return came.map(({ records, offset, ...spot }) => {
        const eight = records.slice(0, 8);
        sent += eight.length;
        return { ...spot, offset, records: eight, next: offset + BigInt(eight.length) };
      });
    },
  };
  let handled = 0;
  let most = 0;
  const slices = await slicesOf({ fetcher: fast, membership }, (records) => {
    most = Math.max(most, sent - handled);
    handled += records;
  });
  expect(handled, slices.join()).toBe(120);
  expect(most).toBeLessThan(32 + 3 * 8); // MB: enough, and what each broker sends at once
});
