/** Reading a piece of a topic that ends: the last records of its partitions, or all of it up to where it ends now. */
import type { FetchedRecord, Fetcher, Spot } from './fetcher.ts';
import { partName } from './membership.ts';

export type Piece = Spot & { readonly records: readonly FetchedRecord[] };
type Span = Spot & { readonly end: bigint };

const WAIT = 500;
/** Polls in a row that bring nothing, after which the rest counts as not to be had. */
const PATIENCE = 40;
/** Offsets of a partition that are looked through at first; what lies there says how large its records are. */
const FIRST = 100;
/** Bytes of a partition that are looked through at once, and of its end: of large records these are fewer than were wanted. */
const ENOUGH = 16 * 1024 * 1024;

/** A partition as far as it was looked through, from its end back to `end`. */
type Looking = {
  readonly topic: string;
  readonly partition: number;
  readonly begin: bigint;
  readonly end: bigint;
  /** Offsets, and the bytes of the records that lie there. */
  readonly looked: number;
  readonly bytes: number;
  /** What was kept of it. */
  readonly found: number;
};

/**
 * What `pick` keeps of the last `count` offsets of each partition; where that is nothing, of those before them too, down
 * to the first that keeps something or to the beginning. Window by window: only what is kept is ever held.
 */
export const readLast = async <T>(
  fetcher: Fetcher,
  topics: readonly string[],
  count: number,
  pick: (record: FetchedRecord) => T | undefined,
): Promise<readonly T[]> => {
  const kept: T[] = [];
  const lookBack = async (partitions: readonly Looking[]): Promise<readonly Looking[]> => {
    const spans = partitions.map((one) => ({ ...one, offset: later(one.begin, one.end - windowOf(one, count)) }));
    const after = new Map(
      spans.map(({ offset, ...one }) => {
        const looked = one.looked + Number(one.end - offset);
        return [partName(one.topic, one.partition), { ...one, end: offset, looked }];
      }),
    );
    for await (const { topic, partition, records } of readSpans(fetcher, spans)) {
      const name = partName(topic, partition);
      const picked = records.map(pick).filter((one) => one !== undefined);
      kept.push(...picked);
      const one = after.get(name);
      if (one === undefined) continue;
      const bytes = records.reduce((sum, { value }) => sum + (value?.length ?? 0), one.bytes);
      after.set(name, { ...one, bytes, found: one.found + picked.length });
    }
    return [...after.values()];
  };
  const spans = await spansOf(fetcher, topics);
  const whole = spans.map(({ offset, ...one }): Looking => ({ ...one, begin: offset, looked: 0, bytes: 0, found: 0 }));
  const onwards = (partitions: readonly Looking[]) => partitions.filter((one) => goesOn(one, count));
  for (let left = onwards(whole); left.length > 0; left = onwards(await lookBack(left)));
  return kept;
};

/** By the offsets that are left, and not by the records that came: the marks of transactions take offsets too. */
const goesOn = ({ begin, end, looked, bytes, found }: Looking, count: number): boolean =>
  begin < end && (found === 0 || (looked < count && bytes < ENOUGH));
const windowOf = ({ looked, bytes }: Looking, count: number): bigint => {
  if (looked === 0) return BigInt(FIRST);
  const wanted = looked < count ? count - looked : count;
  const fitting = Math.floor((ENOUGH * looked) / Math.max(1, bytes));
  return BigInt(Math.max(1, Math.min(wanted, fitting)));
};
const later = (one: bigint, other: bigint): bigint => (one > other ? one : other);

/** Every record that the topics hold when this is asked, each partition's in order, piece by piece. */
export const readAll = async function* (fetcher: Fetcher, topics: readonly string[]): AsyncGenerator<Piece> {
  yield* readSpans(fetcher, await spansOf(fetcher, topics));
};

const spansOf = async (fetcher: Fetcher, topics: readonly string[]): Promise<readonly Span[]> => {
  const [begins, ends] = [await fetcher.offsets(topics, 'earliest'), await fetcher.offsets(topics, 'latest')];
  return topics.flatMap((topic) =>
    (ends.get(topic) ?? []).map((end, partition) => ({
      topic,
      partition,
      offset: begins.get(topic)?.[partition] ?? 0n,
      end,
    })),
  );
};

const readSpans = async function* (fetcher: Fetcher, spans: readonly Span[]): AsyncGenerator<Piece> {
  const left = new Map(
    spans.filter(({ offset, end }) => offset < end).map((span) => [partName(span.topic, span.partition), span]),
  );
  for (let empty = 0; left.size > 0; ) {
    const came = await fetcher.poll([...left.values()], WAIT);
    empty = came.length === 0 ? empty + 1 : 0;
    if (empty > PATIENCE) throw new Error(`the broker does not answer what lies in ${[...left.keys()].join(', ')}`);
    for (const { topic, partition, offset, records, next } of came) {
      const name = partName(topic, partition);
      const span = left.get(name);
      if (span === undefined || span.offset !== offset) continue;
      yield { topic, partition, offset, records: records.filter((one) => one.offset < span.end) };
      if (next >= span.end) left.delete(name);
      else left.set(name, { ...span, offset: next });
    }
  }
};
