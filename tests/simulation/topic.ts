/** A broker's topic, or several: partitions to which records are appended, and a relay that does it: the real loop. */
import type { Delivery } from '../../src/platform/event-bus/delivery.ts';
import type { Checkpoint, RelayPorts } from '../../src/platform/event-bus/relay.ts';
import { FEED_START } from '../../src/platform/event-store/event.ts';
import type { Process } from './scheduler.ts';
import { carried, type Store } from './store.ts';
import type { World } from './world.ts';

export type Topic = {
  readonly partitions: readonly Delivery[][];
  /** Stored by the producer, beside its events. */
  checkpoint: Checkpoint;
};
export const createTopic = (partitions: number): Topic => ({
  partitions: Array.from({ length: partitions }, () => []),
  checkpoint: { revision: 0, position: FEED_START, lanes: new Map() },
});

export const relayPorts = (world: World, store: Store, process: Process): RelayPorts => {
  const { scheduler, random, config, safety, happened } = world;
  const topic = world.topicOf(store.source);

  /** Records of a partition are appended in their order; where it breaks, those before are there. */
  const append = (partition: Delivery[], records: readonly Delivery[]): void => {
    const breaksAt = random.chance(config.rates.unanswered) ? random.below(records.length) : records.length;
    for (const record of records.slice(0, breaksAt)) {
      if (safety.isOnBus(safety.eventOf(record))) happened('published twice');
      partition.push(record);
      safety.published(record);
    }
    if (breaksAt < records.length) throw new Error('the broker broke off');
  };

  return {
    leads: async () => true,
    checkpoint: () => scheduler.call(process, 'checkpoint', 'read', () => topic.checkpoint),
    feed: async ({ ...after }) => {
      const events = await scheduler.call(process, 'feed', 'read', () => world.feed(store, after, config.slice));
      if (events.length === 0) await scheduler.pause(process, random.between(50, 600));
      return events.map(carried);
    },
    send: async (deliveries) => {
      const sending = [...Map.groupBy(deliveries, ({ lane }) => lane % topic.partitions.length)].map(([n, records]) =>
        scheduler.call(process, `publishes ${records.map(({ envelope }) => envelope.id)}`, 'write', () =>
          append(topic.partitions[n] ?? [], records),
        ),
      );
      const sent = await Promise.allSettled(sending);
      const failed = sent.find((one) => one.status === 'rejected');
      if (failed) throw failed.reason;
    },
    store: (checkpoint) =>
      scheduler.call(process, 'stores', 'write', () => {
        if (topic.checkpoint.revision !== checkpoint.revision - 1) return false;
        topic.checkpoint = checkpoint;
        safety.stored(store.source, checkpoint);
        return true;
      }),
    stepAside: async () => undefined, // all lead, all the time
    pause: (ms) => scheduler.pause(process, ms),
    report: ({ kind }) => happened(kind === 'overtaken' ? 'a relay is overtaken' : 'a relay waits'),
  };
};
