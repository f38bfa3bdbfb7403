/**
 * A consumer's partitions, read from where its cursors stand. A cursor is `<topic's id>:<next offset>`: a topic that was
 * made anew has another id, and is read from its beginning, as is one that ends before the cursor. What comes twice by
 * that is a twin to its lane, and what is missing a gap.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { LANES } from '../../event-store/lane.ts';
import type { BusReader, Lease } from '../bus.ts';
import type { Delivery, Stray } from '../delivery.ts';
import type { Standing } from '../lanes.ts';
import type { Slice } from '../runner.ts';
import { isProtocolError } from './client.ts';
import { fromRecord } from './cloud-event.ts';
import type { FetchedRecord, Fetcher, Spot, TopicShape } from './fetcher.ts';
import { type Membership, partName } from './membership.ts';

/** A partition as far as it was fetched: what lies between a cursor and `next`. */
type Ahead = {
  readonly topic: string;
  readonly partition: number;
  readonly id: string;
  /** The cursor after which it begins; undefined = there is none yet. */
  cursor: string | undefined;
  records: readonly FetchedRecord[];
  next: bigint;
};

const SLICE = 200;
/** Bytes of a slice, above which the next record waits: one commit must be able to park all of it. */
const LARGEST_SLICE = 8 * 1024 * 1024;
/** Records of a partition that wait for their turn, above which no more of it are fetched. */
const ENOUGH = 1_000;
const WAIT = 500;
const IDLE = 1_000;
const TELL_EVERY = 5_000;

/**
 * Reads what the group gives to this process. A part that is taken away is read no further from the next slice on; its
 * lane’s revision guards what is under way.
 */
export const openKafkaReader = (
  source: string,
  topics: readonly string[],
  lease: Lease,
  fetcher: Fetcher,
  membership: Membership,
): BusReader => {
  const parts = new Map<string, Ahead>();
  let generation = 0;
  let assigned: ReadonlySet<string> = new Set();
  let shapes: ReadonlyMap<string, TopicShape> = new Map();
  let toldAt = Number.NEGATIVE_INFINITY;
  let fromStart = false;
  /** So many slices are of one partition each: one of those before failed, and the others shall not wait for it. */
  let alone = 0;

  /** The group's offsets follow the cursors; after a change of the group at once, for another process may have told more. */
  const tell = ({ cursors }: Standing): void => {
    if (performance.now() - toldAt < TELL_EVERY) return;
    toldAt = performance.now();
    const spots = [...parts.values()].flatMap(({ topic, partition, id }) => {
      const offset = offsetIn(cursors.get(partName(topic, partition)), id);
      return offset === undefined ? [] : [{ topic, partition, offset }];
    });
    membership.tell(spots).catch(() => undefined); // nobody reads by them: told again in a moment
  };

  /** What was fetched stays where it goes on from the cursor; all else is fetched from there. */
  const align = async ({ cursors }: Standing): Promise<void> => {
    const missing = [...assigned].filter((name) => {
      const ahead = parts.get(name);
      return ahead === undefined || ahead.cursor !== cursors.get(name);
    });
    if (missing.length === 0) return;
    if (missing.some((name) => parts.has(name))) alone = assigned.size;
    const earliest = await fetcher.offsets(topics, 'earliest');
    for (const name of missing) {
      const { topic, partition } = partOf(name);
      const id = shapes.get(topic)?.id ?? '';
      const begin = earliest.get(topic)?.[partition] ?? 0n;
      const cursor = cursors.get(name);
      const known = fromStart ? undefined : offsetIn(cursor, id);
      parts.set(name, {
        topic,
        partition,
        id,
        cursor,
        records: [],
        next: known !== undefined && known > begin ? known : begin,
      });
    }
    fromStart = false;
  };

  const fetch = async (): Promise<void> => {
    const hungry = [...parts.values()].filter(({ records }) => records.length < ENOUGH);
    const isFull = [...parts.values()].some(({ records }) => records.length > 0);
    const came = await fetcher.poll(hungry.map(spotOf), isFull ? 0 : WAIT);
    for (const { topic, partition, offset, records, next } of came) {
      const ahead = parts.get(partName(topic, partition));
      if (ahead === undefined || ahead.next !== offset) continue; // asked for before the group, or the cursor, changed
      ahead.records = [...ahead.records, ...records];
      ahead.next = next;
    }
  };

  /** Of every partition that has something, a share each: one commit costs the same for one of them and for all. */
  const take = (): Slice => {
    const full = [...parts].filter(([, { records }]) => records.length > 0).slice(0, alone > 0 ? 1 : undefined);
    alone = Math.max(0, alone - 1);
    const share = Math.ceil(SLICE / Math.max(1, full.length));
    let size = 0;
    const fits = (record: FetchedRecord): boolean => {
      size += sizeOf(record);
      return size <= LARGEST_SLICE;
    };
    const shares = full.flatMap(([name, ahead], n) => {
      const within = ahead.records.slice(0, share);
      const cut = within.findIndex((record) => !fits(record));
      const taken = cut === -1 ? within : within.slice(0, n === 0 ? Math.max(1, cut) : cut);
      if (taken.length === 0) return [];
      parts.delete(name); // to the end of the line
      parts.set(name, ahead);
      const from = ahead.cursor;
      ahead.records = ahead.records.slice(taken.length);
      ahead.cursor = `${ahead.id}:${(taken.at(-1)?.offset ?? 0n) + 1n}`;
      const { topic, partition } = ahead;
      const read = taken.map((record) => fromRecord(source, { topic, partition, ...record }, record));
      return [{ read, cursor: { part: name, from, to: ahead.cursor } }];
    });
    const read = shares.flatMap((one) => one.read);
    return {
      deliveries: read.filter((one): one is Delivery => !isStray(one)),
      strays: read.filter(isStray),
      cursors: shares.map(({ cursor }) => cursor),
    };
  };

  return {
    holds: async () => {
      shapes = await fetcher.shapes(topics);
      const now = await membership.current(shapes);
      if (now.generation !== generation) {
        ({ generation, parts: assigned } = now);
        parts.clear();
        toldAt = Number.NEGATIVE_INFINITY;
        return false; // another process may have moved what is ours now
      }
      void lease.acquire().catch(() => undefined); // only so that people see that somebody reads
      if (assigned.size === 0) await sleep(IDLE);
      return assigned.size > 0;
    },
    next: async (standing) => {
      try {
        await align(standing);
        tell(standing);
        await fetch();
      } catch (error) {
        parts.clear();
        fromStart = isProtocolError(error, 'OFFSET_OUT_OF_RANGE');
        throw error;
      }
      return take();
    },
    owned: () =>
      topics.flatMap((topic) =>
        Array.from({ length: LANES }, (_, lane) => ({ topic, lane })).filter(({ lane }) =>
          assigned.has(partName(topic, lane % (shapes.get(topic)?.partitions ?? 1))),
        ),
      ),
    close: async () => {
      await Promise.all([membership.close(), fetcher.close(), lease.release()]);
    },
  };
};

const sizeOf = ({ value, headers }: FetchedRecord): number =>
  headers.reduce((sum, [name, text]) => sum + (name?.length ?? 0) + (text?.length ?? 0), value?.length ?? 0);
const isStray = (one: Delivery | Stray): one is Stray => 'kind' in one;
const spotOf = ({ topic, partition, next }: Ahead): Spot => ({ topic, partition, offset: next });
const partOf = (name: string) => {
  const cut = name.lastIndexOf('/');
  return { topic: name.slice(0, cut), partition: Number(name.slice(cut + 1)) };
};
const offsetIn = (cursor: string | undefined, id: string): bigint | undefined => {
  const [, topicId, offset] = /^(.+):(\d+)$/.exec(cursor ?? '') ?? [];
  return topicId === id && offset !== undefined ? BigInt(offset) : undefined;
};
