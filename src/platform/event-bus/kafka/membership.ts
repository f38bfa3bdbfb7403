/**
 * A process's place in a consumer group: which partitions are its own just now.
 *
 *   apart ─► joining ─► member of a generation ─► the group changes: the next generation, with other partitions
 *     ▲         │                  │
 *     └─────────┴──── it failed ◄──┘
 *
 * That two processes believe in the same partition for a while is no fault here: the revisions of its lanes decide. The
 * offsets of the group are for people who look with Kafka's own tools; nothing is ever read from where they say.
 */
import { Consumer, consumerHeartbeatChannel } from '@platformatic/kafka';
import { asked, clientOptions, isProtocolError, type KafkaSettings } from './client.ts';
import type { Spot, TopicShape } from './fetcher.ts';

type Shapes = ReadonlyMap<string, TopicShape>;

type Assignment = {
  /** Another one for each change of the group, in this process. */
  readonly generation: number;
  /** `topic/partition`. */
  readonly parts: ReadonlySet<string>;
};
export type Membership = {
  /**
   * Joins where it is apart, and anew where the topics have other partitions than when it joined: the broker shares out
   * what the leader of the group saw when it last changed, and tells nobody of more. Rejects where it cannot be asked.
   */
  current(shapes: Shapes): Promise<Assignment>;
  /** Tells the broker how far the group has read. */
  tell(spots: readonly Spot[]): Promise<void>;
  close(): Promise<void>;
};

/** How a partition is called among the parts of the bus, in cursors and assignments. */
export const partName = (topic: string, partition: number): string => `${topic}/${partition}`;

/** ms after which a member that was not heard of is out, and others take its partitions. */
const SESSION = 10_000;
const HEARTBEAT = 2_000;
const REBALANCE = 15_000;
/** ms: to join is answered when all have joined. */
const REQUEST_TIMEOUT = REBALANCE + 5_000;

/** `isDouble` is called when another process took this one's place under its instance id; both join again, and so for ever. */
export const openMembership = (
  settings: KafkaSettings,
  group: string,
  topics: readonly string[],
  isDouble: () => void,
): Membership => {
  let consumer: Consumer | undefined;
  let joining: Promise<void> | undefined;
  let assignment: Assignment = { generation: 0, parts: new Set() };
  let isOut = true;
  let sharedOut: string | undefined;

  // The client joins again by itself and says nothing of why: only who traces its heartbeats is told.
  const onHeartbeatError = (traced: unknown): void => {
    const { client, error } = Object(traced);
    if (client === consumer && isProtocolError(error, 'FENCED_INSTANCE_ID')) isDouble();
  };
  consumerHeartbeatChannel.error.subscribe(onHeartbeatError);

  const leave = async (): Promise<void> => {
    const former = consumer;
    consumer = undefined;
    isOut = true;
    await former?.close(true).catch(() => undefined); // out after SESSION either way
  };
  const join = async (): Promise<void> => {
    await leave();
    const { instanceId } = settings;
    const options = { ...clientOptions(settings, `taskwire-${group}`), groupId: group };
    const timing = { sessionTimeout: SESSION, heartbeatInterval: HEARTBEAT, rebalanceTimeout: REBALANCE };
    const member = new Consumer({
      ...options,
      ...timing,
      requestTimeout: REQUEST_TIMEOUT,
      retries: 10,
      autocommit: false,
      ...(instanceId !== undefined && { groupInstanceId: instanceId }),
    });
    consumer = member;
    member.topics.trackAll(...topics);
    member.on('error', () => {
      if (consumer === member) isOut = true;
    });
    member.on('consumer:group:join', ({ assignments = [] }) => {
      const parts = assignments.flatMap(({ topic, partitions }) => partitions.map((one) => partName(topic, one)));
      assignment = { generation: assignment.generation + 1, parts: new Set(parts) };
    });
    await asked(member.joinGroup({}));
    isOut = false;
  };
  return {
    current: async (shapes) => {
      const whole = [...shapes].map(([topic, { partitions }]) => partName(topic, partitions)).join();
      if (isOut || whole !== sharedOut) {
        joining ??= join().finally(() => {
          joining = undefined;
        });
        await joining;
        sharedOut = whole;
      }
      return assignment;
    },
    tell: async (spots) => {
      if (consumer === undefined || isOut || spots.length === 0) return;
      await consumer.commit({ offsets: spots.map((spot) => ({ ...spot, leaderEpoch: -1 })) });
    },
    close: async () => {
      consumerHeartbeatChannel.error.unsubscribe(onHeartbeatError);
      await leave();
    },
  };
};

/** Of whoever reads it all, beside the groups: they notice nothing of it. */
export const everyPart: Membership = {
  current: async (shapes) => {
    const parts = [...shapes].flatMap(([topic, { partitions }]) =>
      Array.from({ length: partitions }, (_, partition) => partName(topic, partition)),
    );
    return { generation: parts.length, parts: new Set(parts) };
  },
  tell: async () => undefined,
  close: async () => undefined,
};
