/**
 * Reading partitions from given offsets: the positions in our own database say where, never the broker. A member of a
 * group cannot be told so by its client, so fetching is apart from membership (see membership.ts), on connections of its
 * own: a broker that waits for something to come answers nothing else on the same connection.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Consumer, FetchIsolationLevels, ListOffsetTimestamps, UserError } from '@platformatic/kafka';
import {
  asked,
  BrokerUnavailable,
  clientOptions,
  isProtocolError,
  type KafkaSettings,
  TopicMissing,
} from './client.ts';
import type { BrokerRecord } from './cloud-event.ts';

export type Spot = { readonly topic: string; readonly partition: number; readonly offset: bigint };
export type FetchedRecord = BrokerRecord & { readonly offset: bigint; readonly timestamp: bigint };
/** What lies in a partition from `offset` on: some records, and the offset that comes after them. */
export type Fetched = Spot & { readonly records: readonly FetchedRecord[]; readonly next: bigint };
export type TopicShape = { readonly id: string; readonly partitions: number };

export type Fetcher = {
  /** Rejects with TopicMissing. */
  shapes(topics: readonly string[]): Promise<ReadonlyMap<string, TopicShape>>;
  /** The first offset of each partition, or that of what comes next. */
  offsets(topics: readonly string[], which: 'earliest' | 'latest'): Promise<ReadonlyMap<string, readonly bigint[]>>;
  /**
   * What came, once anything has, or nothing after so many ms. One fetch a broker is under way at a time, also when this
   * has answered; what it brings is answered next time, and may be from a spot that is not asked for any more.
   */
  poll(spots: readonly Spot[], ms: number): Promise<readonly Fetched[]>;
  close(): Promise<void>;
};

type FetchResponse = Awaited<ReturnType<Consumer['fetch']>>;

/** ms for which a broker waits for something to come. */
const LONG_POLL = 500;
/** Bytes that a broker answers at once, by so many partitions of what waits there; a larger record comes nevertheless. */
const BYTES = 8 * 1024 * 1024;
const PARTITIONS_AT_ONCE = 8;
const CONTROL = 0b10_0000;
const APPEND_TIME = 0b1000;

/** Connects when it is first asked. A broker that is away is told to whoever asks: BrokerUnavailable. */
export const openFetcher = (settings: KafkaSettings, clientId: string, bytes = BYTES): Fetcher => {
  // The group is never joined: the client asks for its name.
  const options = { ...clientOptions(settings, clientId), groupId: `${clientId}-reads`, maxWaitTime: LONG_POLL };
  // What a stranger has in a transaction is a stray like any other, ended or not: else one that hangs would hold up all.
  const isolationLevel = FetchIsolationLevels.READ_UNCOMMITTED;
  const consumer = new Consumer({ ...options, isolationLevel, minBytes: 1, maxBytes: bytes });
  consumer.on('error', () => undefined); // told to whoever asks next
  const underWay = new Set<number>();
  let arrived: Fetched[] = [];
  let failure: unknown;
  let wake = Promise.withResolvers<void>();

  const metadataOf = async (topics: readonly string[]) => {
    for (const topic of topics) if (!consumer.topics.has(topic)) consumer.topics.track(topic);
    try {
      return await consumer.metadata({ topics: [...topics] });
    } catch (error) {
      throw isUnknownTopic(error) ? new TopicMissing(topics) : new BrokerUnavailable(error);
    }
  };
  const fetchFrom = async (node: number, topics: ReadonlyMap<string, readonly Spot[]>): Promise<void> => {
    underWay.add(node);
    try {
      const response = await consumer.fetch({
        node,
        topics: [...topics].map(([topicId, spots]) => ({
          topicId,
          partitions: spots.map((spot) => asRequest(spot, bytes)),
        })),
      });
      arrived.push(...fetchedIn(response, topics));
    } catch (error) {
      failure = error;
    } finally {
      underWay.delete(node);
      wake.resolve();
    }
  };

  return {
    shapes: async (topics) => {
      const { topics: known } = await metadataOf(topics);
      return new Map(topics.map((topic) => [topic, shapeOf(known.get(topic), topic)]));
    },
    offsets: async (topics, which) => {
      await metadataOf(topics);
      const timestamp = which === 'earliest' ? ListOffsetTimestamps.EARLIEST : ListOffsetTimestamps.LATEST;
      return asked(consumer.listOffsets({ topics: [...topics], timestamp }));
    },
    poll: async (spots, ms) => {
      const topics = [...new Set(spots.map(({ topic }) => topic))];
      const { topics: known } = await metadataOf(topics);
      const leaderOf = ({ topic, partition }: Spot): number => known.get(topic)?.partitions[partition]?.leader ?? -1;
      for (const [node, ofNode] of Map.groupBy(spots, leaderOf))
        if (node >= 0 && !underWay.has(node))
          void fetchFrom(
            node,
            Map.groupBy(ofNode, ({ topic }) => shapeOf(known.get(topic), topic).id),
          );
      if (arrived.length === 0 && failure === undefined) await Promise.race([wake.promise, sleep(ms)]);
      wake = Promise.withResolvers();
      const [came, failed] = [arrived, failure];
      [arrived, failure] = [[], undefined];
      if (failed !== undefined && came.length === 0) throw new BrokerUnavailable(failed);
      return came;
    },
    close: () => consumer.close().catch(() => undefined), // nothing is held there
  };
};

/** The client says it in words of its own, with no code of Kafka's. */
const isUnknownTopic = (error: unknown): boolean =>
  (error instanceof UserError && error.message.startsWith('Unknown topic')) ||
  isProtocolError(error, 'UNKNOWN_TOPIC_OR_PARTITION');

const shapeOf = (known: { id: string; partitionsCount: number } | undefined, topic: string): TopicShape => {
  if (known === undefined) throw new TopicMissing([topic]);
  return { id: known.id, partitions: known.partitionsCount };
};

const asRequest = ({ partition, offset }: Spot, bytes: number) => ({
  partition,
  fetchOffset: offset,
  partitionMaxBytes: bytes / PARTITIONS_AT_ONCE,
  currentLeaderEpoch: -1,
  lastFetchedEpoch: -1,
});

/** Records before the spot that was asked for come too: a broker answers whole batches. */
const fetchedIn = (response: FetchResponse, asked: ReadonlyMap<string, readonly Spot[]>): Fetched[] =>
  response.responses.flatMap(({ topicId, partitions }) =>
    partitions.flatMap(({ partitionIndex, records: batches }) => {
      const spot = asked.get(topicId)?.find(({ partition }) => partition === partitionIndex);
      const last = batches?.at(-1);
      if (spot === undefined || !batches || last === undefined) return [];
      const records = batches
        .filter(({ attributes }) => (attributes & CONTROL) === 0)
        .flatMap(({ attributes, firstOffset, firstTimestamp, maxTimestamp, records: ofBatch }) =>
          ofBatch.map(({ key, value, headers, offsetDelta, timestampDelta }) => ({
            key,
            value,
            headers,
            offset: firstOffset + BigInt(offsetDelta),
            timestamp: (attributes & APPEND_TIME) === 0 ? firstTimestamp + timestampDelta : maxTimestamp,
          })),
        )
        .filter(({ offset }) => offset >= spot.offset);
      return [{ ...spot, records, next: last.firstOffset + BigInt(last.lastOffsetDelta) + 1n }];
    }),
  );
