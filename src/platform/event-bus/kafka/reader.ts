/**
 * A consumer's partitions, read from where its cursors stand. A cursor is `<topic's id>:<next offset>`: a topic that was
 * made anew has another id, and is read from its beginning, as is one that ends before the cursor. What comes twice by
 * that is a twin to its lane, and what is missing a gap.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { LANES } from '../../event-store/lane.ts';
import type { BusReader, Lease } from '../bus.ts';
import type { Standing } from '../lanes.ts';
import type { Slice } from '../runner.ts';
import { isProtocolError } from './client.ts';
import type { Fetcher, Spot, TopicShape } from './fetcher.ts';
import { type Membership, partName } from './membership.ts';
import { type Ahead, bytesOf, takeSlice } from './slice.ts';

/** Records of a partition that wait for their turn, above which no more of it are fetched. */
const ENOUGH = 1_000;
/** The same in bytes, of all partitions: each broker sends as much at once as a slice holds. */
const ENOUGH_BYTES = 32 * 1024 * 1024;
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
        bytes: 0,
        next: known !== undefined && known > begin ? known : begin,
      });
    }
    fromStart = false;
  };

  const fetch = async (): Promise<void> => {
    const all = [...parts.values()];
    if (all.reduce((sum, { bytes }) => sum + bytes, 0) >= ENOUGH_BYTES) return;
    const hungry = all.filter(({ records }) => records.length < ENOUGH);
    const isFull = all.some(({ records }) => records.length > 0);
    const came = await fetcher.poll(hungry.map(spotOf), isFull ? 0 : WAIT);
    for (const { topic, partition, offset, records, next } of came) {
      const name = partName(topic, partition);
      const ahead = parts.get(name);
      if (ahead === undefined || ahead.next !== offset) continue; // asked for before the group, or the cursor, changed
      const bytes = ahead.bytes + bytesOf(records);
      parts.set(name, { ...ahead, records: [...ahead.records, ...records], bytes, next });
    }
  };

  /** Who had a share goes to the end of the line. */
  const take = (): Slice => {
    const waiting = [...parts.values()].filter(({ records }) => records.length > 0);
    const { slice, rest } = takeSlice(source, waiting.slice(0, alone > 0 ? 1 : undefined));
    alone = Math.max(0, alone - 1);
    for (const ahead of rest) {
      const name = partName(ahead.topic, ahead.partition);
      parts.delete(name);
      parts.set(name, ahead);
    }
    return slice;
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

const spotOf = ({ topic, partition, next }: Ahead): Spot => ({ topic, partition, offset: next });
const partOf = (name: string) => {
  const cut = name.lastIndexOf('/');
  return { topic: name.slice(0, cut), partition: Number(name.slice(cut + 1)) };
};
const offsetIn = (cursor: string | undefined, id: string): bigint | undefined => {
  const [, topicId, offset] = /^(.+):(\d+)$/.exec(cursor ?? '') ?? [];
  return topicId === id && offset !== undefined ? BigInt(offset) : undefined;
};
