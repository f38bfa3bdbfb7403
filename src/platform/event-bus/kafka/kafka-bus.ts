/**
 * The bus of an installation with a broker: producers' relays put their feeds on it, and each consumer is a group of it.
 * A topic's partitions are powers of two up to 64, so each of the 64 lanes lies on one of them, in order.
 */
import { comparePositions, FEED_START, type FeedPosition } from '../../event-store/event.ts';
import { inTime } from '../../lifecycle/in-time.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { type EventBus, NOBODYS } from '../bus.ts';
import { type Delivery, topicsOfSource } from '../delivery.ts';
import type { Publisher } from '../relaying.ts';
import type { KafkaSettings } from './client.ts';
import { fromRecord } from './cloud-event.ts';
import { type Fetcher, openFetcher } from './fetcher.ts';
import { lagOf } from './lag.ts';
import { everyPart, openMembership } from './membership.ts';
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
      const reader = openKafkaReader(source, topics, NOBODYS, fetcher, everyPart);
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
    lag: (source, standing) => inTurn(() => lagOf(look(), topicsOfSource(source).slice(0, 1), standing)),
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
const LAST_WORD = 2_000;
const later = (one: FeedPosition, other: FeedPosition): FeedPosition =>
  comparePositions(one, other) < 0 ? other : one;
