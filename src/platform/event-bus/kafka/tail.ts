/** Reading a piece of a topic that ends: its last records, or all of it up to where it ends now. */
import type { FetchedRecord, Fetcher, Spot } from './fetcher.ts';

export type Piece = Spot & { readonly records: readonly FetchedRecord[] };
type Span = Spot & { readonly end: bigint };

const WAIT = 500;
/** Polls in a row that bring nothing, after which the rest counts as not to be had. */
const PATIENCE = 40;

/** Of each partition the last `count` records (fewer where there are fewer), in their order. */
export const readTail = async (
  fetcher: Fetcher,
  topics: readonly string[],
  count: number,
): Promise<readonly Piece[]> => {
  const spans = (await spansOf(fetcher, topics)).map(({ offset, end, ...rest }) => ({
    ...rest,
    end,
    offset: end - BigInt(count) > offset ? end - BigInt(count) : offset,
  }));
  const pieces = new Map<string, FetchedRecord[]>();
  for await (const { topic, partition, records } of readSpans(fetcher, spans)) {
    const name = `${topic}/${partition}`;
    pieces.set(name, [...(pieces.get(name) ?? []), ...records]);
  }
  return spans.map((span) => ({ ...span, records: pieces.get(`${span.topic}/${span.partition}`) ?? [] }));
};

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
    spans.filter(({ offset, end }) => offset < end).map((span) => [`${span.topic}/${span.partition}`, span]),
  );
  for (let empty = 0; left.size > 0; ) {
    const came = await fetcher.poll([...left.values()], WAIT);
    empty = came.length === 0 ? empty + 1 : 0;
    if (empty > PATIENCE) throw new Error(`the broker does not answer what lies in ${[...left.keys()].join(', ')}`);
    for (const { topic, partition, offset, records, next } of came) {
      const name = `${topic}/${partition}`;
      const span = left.get(name);
      if (span === undefined || span.offset !== offset) continue;
      yield { topic, partition, offset, records: records.filter((one) => one.offset < span.end) };
      if (next >= span.end) left.delete(name);
      else left.set(name, { ...span, offset: next });
    }
  }
};
