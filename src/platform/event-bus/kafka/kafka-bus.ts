/**
 * The bus of an installation with a broker: producers' relays put their feeds on it, and each consumer is a group of it.
 * A topic's partitions are powers of two up to 64, so each of the 64 lanes lies on one of them, in order.
 */
import { comparePositions, FEED_START, type FeedPosition } from '../../event-store/event.ts';
import { inTime } from '../../lifecycle/in-time.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { type EventBus, MOST_COUNTED, NOBODYS } from '../bus.ts';
import { type Delivery, topicsOfSource } from '../delivery.ts';
import type { Publisher } from '../relaying.ts';
import type { KafkaSettings } from './client.ts';
import { fromRecord } from './cloud-event.ts';
import { type Fetcher, openFetcher, type Spot } from './fetcher.ts';
import { everyPart, openMembership, partName } from './membership.ts';
import { openSender } from './publisher.ts';
import { openKafkaReader } from './reader.ts';
import { readTail } from './tail.ts';

const DOUBLE =
  'another process has the same INSTANCE_ID, and they push each other out of the consumer groups: give each copy one of its own';

/**
 * Both ends of one broker; each consumer is a group for each of its sources. Connects to nothing before it is used.
 * `logger` hears once of another process with the same INSTANCE_ID.
 */
export const openKafkaBus = (settings: KafkaSettings, logger?: Pick<Logger, 'error'>): EventBus & Publisher => {
  // Made when first asked: a client of a process that neither publishes nor is asked how it is connects to nothing.
  let looking: Fetcher | undefined;
  const look = (): Fetcher => {
    looking ??= openFetcher(settings, 'taskwire-looks');
    return looking;
  };
  // One at a time: what a poll brings is whoever's asks next.
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(run: () => Promise<T>): Promise<T> => {
    const mine = turn.then(run, run);
    turn = mine.catch(() => undefined); // told to who asked
    return mine;
  };
  let isDouble = false;
  /** Once: it goes on until somebody sees to it. */
  const tellOfDouble = (): void => {
    if (!isDouble) logger?.error(DOUBLE);
    isDouble = true;
  };
  const sender = openSender(settings, 'taskwire-relay');
  /** By its place, as a twin of an older one may lie behind it; and behind strays, however many. */
  const newest = async (source: string, topics: readonly string[], count = TAIL): Promise<readonly Delivery[]> => {
    const tails = await inTurn(() => readTail(look(), topics, count));
    const ofEach = tails.map(({ topic, partition, records }) =>
      records
        .map((record) => fromRecord(source, { topic, partition, ...record }, record))
        .filter((event): event is Delivery => !('kind' in event))
        .toSorted((one, other) => comparePositions(one.at, other.at))
        .slice(-1),
    );
    const isHidden = tails.some(({ records }, n) => ofEach[n]?.length === 0 && records.length === count);
    return isHidden && count < LONGEST_TAIL ? newest(source, topics, count * 10) : ofEach.flat();
  };

  return {
    open: ({ consumer, source }, topics, lease) => {
      const group = `${consumer}-of-${source}`;
      const fetcher = openFetcher(settings, `taskwire-${group}`);
      return openKafkaReader(source, topics, lease, fetcher, openMembership(settings, group, topics, tellOfDouble));
    },
    replay: (source, topics) => {
      const fetcher = openFetcher(settings, 'taskwire-replays');
      const reader = openKafkaReader(source, topics, NOBODYS, fetcher, everyPart(fetcher, topics));
      return {
        next: async (standing) => {
          await reader.holds();
          return reader.next(standing);
        },
        close: reader.close,
      };
    },
    end: async (source) => {
      const last = await newest(source, topicsOfSource(source).slice(0, 1));
      return last.map(({ at }) => at).reduce(later, FEED_START);
    },
    lag: (source, { cursors }) =>
      inTurn(async () => {
        const topics = topicsOfSource(source).slice(0, 1);
        const shapes = await look().shapes(topics);
        const ends = await look().offsets(topics, 'latest');
        const behind = topics.flatMap((topic) =>
          (ends.get(topic) ?? []).flatMap((end, partition) => {
            const [id, read = '0'] = (cursors.get(partName(topic, partition)) ?? '').split(':');
            const offset = id === shapes.get(topic)?.id ? BigInt(read) : 0n;
            return offset < end ? [{ topic, partition, offset, end }] : [];
          }),
        );
        if (behind.length === 0) return { events: 0, seconds: 0 };
        const events = behind.reduce((sum, { offset, end }) => sum + Number(end - offset), 0);
        const isAsked = (one: Spot) =>
          behind.some(({ topic, partition }) => topic === one.topic && partition === one.partition);
        const came = (await look().poll(behind, PEEK)).filter(isAsked);
        const first = came.flatMap(({ records }) => records.slice(0, 1));
        const oldest = Math.min(...first.map(({ timestamp }) => Number(timestamp)));
        const seconds = Number.isFinite(oldest) ? Math.max(0, (Date.now() - oldest) / 1000) : 0;
        return { events: Math.min(events, MOST_COUNTED), seconds };
      }),
    send: sender.send,
    newest,
    close: async () => {
      await inTime(LAST_WORD, Promise.all([sender.close(), looking?.close()])); // a broker that hangs has none
    },
  };
};

/** Records at the end of a partition among which one of ours is looked for, at first and at the most. */
const TAIL = 100;
const LONGEST_TAIL = 100_000;
const PEEK = 300;
const LAST_WORD = 2_000;
const later = (one: FeedPosition, other: FeedPosition): FeedPosition =>
  comparePositions(one, other) < 0 ? other : one;
