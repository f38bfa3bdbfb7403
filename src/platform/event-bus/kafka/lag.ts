/** How far behind a consumer is on some topics, by the records that it would read next. For people and alarms. */
import { type Lag, MOST_COUNTED } from '../bus.ts';
import type { Standing } from '../lanes.ts';
import type { Fetcher, Spot } from './fetcher.ts';
import { partName } from './membership.ts';

/** A partition that is not read to its end. */
type Unread = Spot & { readonly end: bigint };

/** One look at a time may use a fetcher. Rejects where the broker cannot be asked. */
export const lagOf = async (
  fetcher: Fetcher,
  topics: readonly string[],
  { cursors }: Pick<Standing, 'cursors'>,
): Promise<Lag> => {
  const shapes = await fetcher.shapes(topics);
  const ends = await fetcher.offsets(topics, 'latest');
  const unread = topics.flatMap((topic) =>
    (ends.get(topic) ?? []).flatMap((end, partition): readonly Unread[] => {
      const [id, read = '0'] = (cursors.get(partName(topic, partition)) ?? '').split(':');
      const offset = id === shapes.get(topic)?.id ? BigInt(read) : 0n;
      return offset < end ? [{ topic, partition, offset, end }] : [];
    }),
  );
  const { behind, sent } = await peek(fetcher, unread);
  if (behind.length === 0) return { events: 0, seconds: 0 };
  const events = behind.reduce((sum, { offset, end }) => sum + Number(end - offset), 0);
  const seconds = sent.length === 0 ? null : Math.max(0, (Date.now() - Math.min(...sent)) / 1000);
  return { events: Math.min(events, MOST_COUNTED), seconds };
};

/** ms */
const PEEK = 300;
/**
 * Of some partitions those that somebody is behind by, each from its next record on, and when those were sent; as far as
 * they come within PEEK. What comes first may be what a look before this one asked for. The mark of a transaction takes an
 * offset and is no record, so that no cursor passes the one that lies at the end: there is nothing to be behind by.
 */
const peek = async (
  fetcher: Fetcher,
  unread: readonly Unread[],
): Promise<{ readonly behind: readonly Unread[]; readonly sent: readonly number[] }> => {
  const until = performance.now() + PEEK;
  const waiting = new Map(unread.map((one) => [partName(one.topic, one.partition), one]));
  const seen: Unread[] = [];
  const sent: number[] = [];
  for (let rest = PEEK; waiting.size > 0 && rest > 0; rest = until - performance.now())
    for (const { topic, partition, offset, records, next } of await fetcher.poll([...waiting.values()], rest)) {
      const name = partName(topic, partition);
      const one = waiting.get(name);
      if (one?.offset !== offset) continue;
      const [first] = records;
      const from = first?.offset ?? next;
      waiting.delete(name);
      if (from >= one.end) continue;
      if (first === undefined) waiting.set(name, { ...one, offset: next });
      else {
        seen.push({ ...one, offset: from });
        sent.push(Number(first.timestamp));
      }
    }
  return { behind: [...seen, ...waiting.values()], sent };
};
