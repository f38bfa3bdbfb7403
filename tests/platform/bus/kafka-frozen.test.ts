/** A broker that hangs: it takes connections, and answers nothing. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Cluster } from '../../../scripts/kafka/cluster.ts';
import { openKafkaBus } from '../../../src/platform/event-bus/kafka/kafka-bus.ts';
import { topicsOfServices } from '../../../src/platform/event-bus/kafka/topic-specs.ts';
import { applyTopics } from '../../../src/platform/event-bus/kafka/topics.ts';
import { openRelay } from '../../../src/platform/event-bus/relaying.ts';
import { createLogger } from '../../../src/platform/telemetry/logger.ts';
import { kafka, startKafka } from '../../support/kafka.ts';
import { until } from '../../support/until.ts';
import { upTo } from '../bed.ts';
import { busBed } from './bed.ts';
import { hearing } from './heard.ts';

const TOPICS = topicsOfServices(['note'], { partitions: 8, replicas: 3 });
/** ms; docs/guarantees.md names it. */
const BOUND = 30_000;

kafka.describe('of three brokers', () => {
  let cluster: Cluster | undefined;
  const settings = () => ({ bootstrapServers: cluster?.bootstrap.split(',') ?? [] });
  const opened: { readonly stop: () => Promise<unknown> }[] = [];
  beforeAll(async () => {
    cluster = await startKafka(3);
    await applyTopics(settings(), TOPICS);
  });
  afterEach(async () => {
    for (const node of cluster?.nodes ?? []) node.resume();
    for (const { stop } of opened.splice(0)) await stop();
  });
  afterAll(() => cluster?.stop());

  const bed = busBed(() => openKafkaBus(settings()));
  const publish = (): void => {
    const { database, committed } = bed.producer();
    const publisher = openKafkaBus(settings());
    const relay = openRelay({ source: 'note', database, publisher, committed, logger: createLogger('silent') });
    opened.push({ stop: () => relay.stop().then(() => publisher.close()) });
    void relay.start();
  };

  test('the one that is named first hangs: what is said meanwhile is heard within 30 s', async () => {
    publish();
    await bed.listen([hearing()]);
    /** Says something to all partitions, and answers the ms until it was heard. */
    const heardAfter = async (): Promise<number> => {
      const began = performance.now();
      const ids = await Promise.all(upTo(20).map(() => bed.say('one')));
      await until('all of it to be heard', async () => {
        const heard = await bed.heard();
        return ids.every((id) => heard.has(id));
      });
      return performance.now() - began;
    };
    await heardAfter();
    cluster?.nodes[0]?.freeze();
    const waits: number[] = [];
    for (const _ of upTo(5)) {
      waits.push(await heardAfter());
      await pause(1_000);
    }
    expect(Math.max(...waits)).toBeLessThan(BOUND);
  });
});
