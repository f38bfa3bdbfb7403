/** Over a real broker: the producer's relay carries its notes there, and each listener is a member. */
import { randomUUID } from 'node:crypto';
import { Consumer } from '@platformatic/kafka';
import { afterAll, beforeAll } from 'vitest';
import type { Cluster } from '../../../scripts/kafka/cluster.ts';
import { clientOptions, type KafkaSettings } from '../../../src/platform/event-bus/kafka/client.ts';
import { openKafkaBus } from '../../../src/platform/event-bus/kafka/kafka-bus.ts';
import { topicsOfServices } from '../../../src/platform/event-bus/kafka/topic-specs.ts';
import { applyTopics } from '../../../src/platform/event-bus/kafka/topics.ts';
import { openRelay, type Relay } from '../../../src/platform/event-bus/relaying.ts';
import { createLogger } from '../../../src/platform/telemetry/logger.ts';
import { startKafka } from '../../support/kafka.ts';
import { until } from '../../support/until.ts';
import { type BusBed, busBed } from './bed.ts';

const logger = createLogger('silent');

/** To be called where tests are described. */
export const kafkaBed = (): BusBed & { readonly settings: () => KafkaSettings } => {
  const instances: string[] = [];
  let cluster: Cluster | undefined;
  let relay: Relay | undefined;
  let publisher: ReturnType<typeof openKafkaBus> | undefined;
  const settings = () => ({ bootstrapServers: cluster?.bootstrap.split(',') ?? [] });

  beforeAll(async () => {
    cluster = await startKafka();
    await applyTopics(settings(), topicsOfServices(['note'], { partitions: 4, replicas: 1 }));
  });
  afterAll(async () => {
    await relay?.stop();
    await publisher?.close();
    await cluster?.stop();
  });

  const bed = busBed(
    ({ database, committed }) => {
      publisher ??= openKafkaBus(settings());
      if (relay === undefined) {
        relay = openRelay({ source: 'note', database, publisher, committed, logger });
        void relay.start();
      }
      const instanceId = randomUUID();
      instances.push(instanceId);
      const bus = openKafkaBus({ ...settings(), instanceId });
      return {
        ...bus,
        // Now is what the bus holds, so what was said before must lie on it by then.
        end: async (source) => {
          await until('the relay to be done', async () => (await relay?.health())?.backlog.events === 0);
          return bus.end(source);
        },
      };
    },
    // A member of the same name takes its place in the group, and leaves: the partitions are for others.
    async (_bed, consumer) => {
      const groupId = `${consumer}-of-note`;
      const groupInstanceId = instances.at(-1) ?? '';
      const usurper = new Consumer({ ...clientOptions(settings(), 'usurper'), groupId, groupInstanceId });
      usurper.topics.track('note.events');
      await usurper.joinGroup({});
      await usurper.close(true);
    },
  );
  return { ...bed, settings };
};
