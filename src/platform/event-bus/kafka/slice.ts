/** What was fetched of a consumer's partitions, cut into slices. */
import type { Delivery, Stray } from '../delivery.ts';
import type { Slice } from '../runner.ts';
import { fromRecord } from './cloud-event.ts';
import type { FetchedRecord } from './fetcher.ts';
import { partName } from './membership.ts';

/** A partition as far as it was fetched: what lies between a cursor and `next`. */
export type Ahead = {
  readonly topic: string;
  readonly partition: number;
  /** The topic's, as long as it is not made anew. */
  readonly id: string;
  /** The cursor after which it begins; undefined = there is none yet. */
  readonly cursor: string | undefined;
  readonly records: readonly FetchedRecord[];
  /** Of the records. */
  readonly bytes: number;
  readonly next: bigint;
};

const RECORDS = 200;
/** Bytes of a slice, above which the next record waits: one commit must be able to park all of it. */
const BYTES = 8 * 1024 * 1024;

/**
 * A share of each partition: one commit costs the same for one of them and for all. `rest` is what remains of those that
 * had one; the others were not reached, and shall come first next time.
 */
export const takeSlice = (
  source: string,
  waiting: readonly Ahead[],
): { readonly slice: Slice; readonly rest: readonly Ahead[] } => {
  const shares = sharesOf(waiting).map(({ ahead, records, last }) => {
    const { topic, partition, id, cursor: from } = ahead;
    const to = `${id}:${last.offset + 1n}`;
    return {
      read: records.map((record) => fromRecord(source, { topic, partition, ...record }, record)),
      cursor: { part: partName(topic, partition), from, to },
      rest: {
        ...ahead,
        cursor: to,
        records: ahead.records.slice(records.length),
        bytes: ahead.bytes - bytesOf(records),
      },
    };
  });
  const read = shares.flatMap((share) => share.read);
  return {
    slice: {
      deliveries: read.filter((one): one is Delivery => !isStray(one)),
      strays: read.filter(isStray),
      cursors: shares.map(({ cursor }) => cursor),
    },
    rest: shares.map(({ rest }) => rest),
  };
};

/** The first record is taken whatever its size, lest it wait for ever. */
const sharesOf = (waiting: readonly Ahead[]) => {
  const most = Math.ceil(RECORDS / Math.max(1, waiting.length));
  let room = BYTES;
  const fits = (record: FetchedRecord): boolean => {
    room -= sizeOf(record);
    return room >= 0;
  };
  return waiting.flatMap((ahead, n) => {
    const within = ahead.records.slice(0, most);
    const cut = within.findIndex((record) => !fits(record));
    const records = cut === -1 ? within : within.slice(0, n === 0 ? Math.max(1, cut) : cut);
    const last = records.at(-1);
    return last === undefined ? [] : [{ ahead, records, last }];
  });
};

export const bytesOf = (records: readonly FetchedRecord[]): number =>
  records.reduce((sum, record) => sum + sizeOf(record), 0);
const sizeOf = ({ value, headers }: FetchedRecord): number =>
  headers.reduce((sum, [name, text]) => sum + (name?.length ?? 0) + (text?.length ?? 0), value?.length ?? 0);
const isStray = (one: Delivery | Stray): one is Stray => 'kind' in one;
