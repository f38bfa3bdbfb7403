import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { FEED_START, type FeedPosition } from '../../event-store/event.ts';
import { toRecord } from './cloud-event.ts';
import type { FetchedRecord, Fetcher } from './fetcher.ts';
import { openKafkaBus } from './kafka-bus.ts';

const TOPIC = 'note.events';
const SETTINGS = { bootstrapServers: [] };
/** Offsets that a broker answers of a partition at once. */
const AT_ONCE = 500;
const MEGABYTE = 1024 * 1024;

const ids = new Map<string, string>();
/** The id of the event that lies there. */
const idAt = (partition: number, offset: number): string => {
  const spot = `${partition}/${offset}`;
  const id = ids.get(spot) ?? randomUUID();
  ids.set(spot, id);
  return id;
};
type Lying = Omit<FetchedRecord, 'offset' | 'timestamp'>;
const STRAY: Lying = { key: null, value: Buffer.from('stray'), headers: [] };
const ours = (partition: number, offset: number, at: FeedPosition = placeOf(offset), data = '{}'): Lying => {
  const id = idAt(partition, offset);
  const event = { id, stream: 'note-1', version: 1, subject: null, type: 'note.written', schemaVersion: 1 };
  const envelope = { ...event, data, metadata: '{}', recordedAt: '2026-01-01T00:00:00.000Z' };
  const { key, value, headers } = toRecord('note', { topic: TOPIC, lane: 0, key: '1', at, after: at, envelope });
  return { key, value, headers: [...headers] };
};
const placeOf = (position: number): FeedPosition => ({ era: 1, tx: '1', position });

/** What lies at an offset of a partition; undefined = the mark of a transaction, which is no record. */
type Partition = { readonly end: number; readonly at: (offset: number) => Lying | undefined };
/** A broker with such partitions, and how many records before its end each was asked for. */
const holding = (...partitions: readonly Partition[]) => {
  const lowest = partitions.map(({ end }) => end);
  const fetcher: Fetcher = {
    shapes: async () => new Map([[TOPIC, { id: 'id', partitions: partitions.length }]]),
    offsets: async (_topics, which) =>
      new Map([[TOPIC, partitions.map(({ end }) => (which === 'earliest' ? 0n : BigInt(end)))]]),
    poll: async (spots) =>
      spots.map((spot) => {
        const { end, at } = partitions[spot.partition] ?? { end: 0, at: () => undefined };
        const from = Number(spot.offset);
        lowest[spot.partition] = Math.min(lowest[spot.partition] ?? end, from);
        const next = Math.min(end, from + AT_ONCE);
        const records = Array.from({ length: next - from }, (_, n) => ({ offset: from + n, lying: at(from + n) }));
        return {
          ...spot,
          records: records.flatMap(({ offset, lying }) =>
            lying === undefined ? [] : [{ ...lying, offset: BigInt(offset), timestamp: 0n }],
          ),
          next: BigInt(next),
        };
      }),
    close: async () => undefined,
  };
  const asked = () => partitions.map(({ end }, partition) => end - (lowest[partition] ?? end));
  const bus = openKafkaBus(SETTINGS, undefined, () => fetcher);
  const newest = async () => new Set((await bus.newest('note', [TOPIC])).map(({ id }) => id));
  return { fetcher, newest, asked, end: () => bus.end('note') };
};
const full = (partition: number, end: number): Partition => ({ end, at: (offset) => ours(partition, offset) });
const upTo = (count: number): readonly number[] => Array.from({ length: count }, (_, n) => n);

test('strays at the end of one partition cost no other one a record more', async () => {
  const partitions = upTo(8).map((partition) => full(partition, 20_000));
  const strewn: Partition = { end: 20_000, at: (offset) => (offset < 18_000 ? ours(3, offset) : STRAY) };
  const { newest, asked } = holding(...partitions.with(3, strewn));
  const found = await newest();
  expect(found).toContain(idAt(3, 17_999));
  for (const partition of upTo(8).filter((one) => one !== 3)) {
    expect(found).toContain(idAt(partition, 19_999));
    expect(asked()[partition]).toBeLessThanOrEqual(2_100);
  }
  expect(asked()[3]).toBeLessThanOrEqual(6_000);
});
test('an event is found behind any number of strays, and none where there is none', async () => {
  const strewn = (first: Lying): Partition => ({ end: 150_000, at: (offset) => (offset === 0 ? first : STRAY) });
  const { newest } = holding(strewn(ours(0, 0)), strewn(STRAY));
  expect(await newest()).toEqual(new Set([idAt(0, 0)]));
});
test('an event is found behind the marks of transactions, which take offsets and are no records', async () => {
  const marked = (offset: number) => (offset % 2 === 0 ? STRAY : undefined);
  const { newest } = holding({ end: 20_000, at: (offset) => (offset < 10_000 ? ours(0, offset) : marked(offset)) });
  expect(await newest()).toContain(idAt(0, 9_999));
});
test('an event is found that lies before one of a later place, or before as many twins as a relay sends at once', async () => {
  const twins = (partition: number): Partition => ({
    end: 20_000,
    at: (offset) =>
      offset < 18_000 ? ours(partition, offset) : ours(partition, offset - 3_000, placeOf(offset - 3_000)),
  });
  const disordered: Partition = { end: 20, at: (offset) => ours(1, offset, placeOf(offset === 18 ? 99 : offset)) };
  const { newest, end } = holding(twins(0), disordered);
  const found = await newest();
  expect(found).toContain(idAt(0, 17_999));
  for (const offset of upTo(20)) expect(found).toContain(idAt(1, offset));
  expect(await end()).toEqual(placeOf(17_999));
});
test('of large records fewer are asked for', async () => {
  const data = `"${'x'.repeat(MEGABYTE)}"`;
  const large = ours(0, 0, undefined, data);
  const { newest, asked } = holding({ end: 2_000, at: () => large });
  await newest();
  expect(asked()[0]).toBeLessThanOrEqual(200);
});
test('looks that hang hold up nobody who asks for the newest', async () => {
  const never = () => new Promise<never>(() => undefined);
  const hanging: Fetcher = { shapes: never, offsets: never, poll: never, close: async () => undefined };
  const { fetcher } = holding(full(0, 3));
  const open = (_settings: unknown, clientId: string) => (clientId === 'taskwire-looks' ? hanging : fetcher);
  const bus = openKafkaBus(SETTINGS, undefined, open);
  void bus.lag('note', { cursors: new Map(), lanes: new Map(), start: FEED_START });
  expect(await bus.newest('note', [TOPIC])).toHaveLength(3);
}, 5_000);
