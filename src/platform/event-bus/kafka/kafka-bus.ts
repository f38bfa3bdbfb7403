/**
 * The bus of an installation with a broker: producers' relays put their feeds on it, and each consumer is a group of it.
 * A topic's partitions are powers of two up to 64, so each of the 64 lanes lies on one of them, in order.
 */
import { comparePositions, FEED_START, type FeedPosition } from '../../event-store/event.ts';
import { inTime } from '../../lifecycle/in-time.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { type EventBus, NOBODYS } from '../bus.ts';
import { topicsOfSource } from '../delivery.ts';
import { LARGEST_SLICE } from '../relay.ts';
import type { Publisher } from '../relaying.ts';
import type { KafkaSettings } from './client.ts';
import { identityOf } from './cloud-event.ts';
import { type Fetcher, openFetcher } from './fetcher.ts';
import { lagOf } from './lag.ts';
import { everyPart, openMembership } from './membership.ts';
import { openSender } from './publisher.ts';
import { openKafkaReader } from './reader.ts';
import { readLast } from './tail.ts';

const DOUBLE =
  'another process has the same INSTANCE_ID, and they push each other out of the consumer groups: give each copy one of its own';

/**
 * Both ends of one broker; each consumer is a group for each of its sources. Connects to nothing before it is used.
 * `logger` hears once of another process with the same INSTANCE_ID.
 */
export const openKafkaBus = (
  settings: KafkaSettings,
  logger?: Pick<Logger, 'error'>,
  open: typeof openFetcher = openFetcher,
): EventBus & Publisher => {
  const looks = openQuestions(() => open(settings, 'taskwire-looks'));
  // Apart from the looks of people and alarms, behind which nobody who must know whether to write shall wait.
  const holdings = openQuestions(() => open(settings, 'taskwire-holdings', A_LITTLE));
  let isDouble = false;
  /** Once: it goes on until somebody sees to it. */
  const tellOfDouble = (): void => {
    if (!isDouble) logger?.error(DOUBLE);
    isDouble = true;
  };
  const sender = openSender(settings, 'taskwire-relay');
  const newest: Publisher['newest'] = (source, topics) =>
    holdings.ask((fetcher) => readLast(fetcher, topics, TAIL, (record) => identityOf(source, record)));

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
    lag: (source, standing) => looks.ask((fetcher) => lagOf(fetcher, topicsOfSource(source).slice(0, 1), standing)),
    send: sender.send,
    newest,
    close: async () => {
      // A broker that hangs has none.
      await inTime(LAST_WORD, Promise.all([sender.close(), looks.close(), holdings.close()]));
    },
  };
};

/** Asks one question at a time, for what a poll brings is whoever's asks next. Connects to nothing before the first. */
const openQuestions = (open: () => Fetcher) => {
  let fetcher: Fetcher | undefined;
  let turn: Promise<unknown> = Promise.resolve();
  return {
    ask: <T>(question: (fetcher: Fetcher) => Promise<T>): Promise<T> => {
      const mine = turn.then(() => {
        fetcher ??= open();
        return question(fetcher);
      });
      turn = mine.catch(() => undefined); // told to who asked
      return mine;
    },
    close: async () => fetcher?.close(),
  };
};

/**
 * Records at the end of a partition among which those of ours are looked for, at the least: a relay that was frozen may
 * have put as many twins as it sends at once behind what others published since.
 */
const TAIL = LARGEST_SLICE + 100;
/** Bytes fetched at once, so that of tens of thousands of records few are held at a time; it is quicker, too. */
const A_LITTLE = 1024 * 1024;
const LAST_WORD = 2_000;
const later = (one: FeedPosition, other: FeedPosition): FeedPosition =>
  comparePositions(one, other) < 0 ? other : one;
