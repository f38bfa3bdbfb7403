/** How far behind a consumer is on some topics, by the records that it would read next. For people and alarms. */
import { type Lag, MOST_COUNTED } from '../bus.ts';
import type { Standing } from '../lanes.ts';
import type { Fetcher, Spot } from './fetcher.ts';
import { partName } from './membership.ts';

/** One look at a time may use a fetcher. Rejects where the broker cannot be asked. */
export const lagOf = async (
  fetcher: Fetcher,
  topics: readonly string[],
  { cursors }: Pick<Standing, 'cursors'>,
): Promise<Lag> => {
  const shapes = await fetcher.shapes(topics);
  const ends = await fetcher.offsets(topics, 'latest');
  const behind = topics.flatMap((topic) =>
    (ends.get(topic) ?? []).flatMap((end, partition) => {
      const [id, read = '0'] = (cursors.get(partName(topic, partition)) ?? '').split(':');
      const offset = id === shapes.get(topic)?.id ? BigInt(read) : 0n;
      return offset < end ? [{ topic, partition, offset, end }] : [];
    }),
  );
  if (behind.length === 0) return { events: 0, seconds: 0 };
  const events = behind.reduce((sum, { offset, end }) => sum + Number(end - offset), 0);
  const oldest = await oldestOf(fetcher, behind);
  const seconds = oldest === undefined ? null : Math.max(0, (Date.now() - oldest) / 1000);
  return { events: Math.min(events, MOST_COUNTED), seconds };
};

/** ms */
const PEEK = 300;
/**
 * When the oldest of the records was sent that lie at some spots, as far as they come within PEEK. What comes first may
 * be what a look before this one asked for.
 */
const oldestOf = async (fetcher: Fetcher, spots: readonly Spot[]): Promise<number | undefined> => {
  const until = performance.now() + PEEK;
  const sent: number[] = [];
  let left = spots;
  for (let rest = PEEK; left.length > 0 && rest > 0; rest = until - performance.now()) {
    const came = await fetcher.poll(left, rest);
    const here = came.filter((one) => left.some((spot) => isSame(spot, one)));
    left = left.filter((spot) => !here.some((one) => isSame(spot, one)));
    sent.push(...here.flatMap(({ records }) => records.slice(0, 1).map(({ timestamp }) => Number(timestamp))));
  }
  return sent.length === 0 ? undefined : Math.min(...sent);
};
const isSame = (one: Spot, other: Spot): boolean =>
  one.topic === other.topic && one.partition === other.partition && one.offset === other.offset;
