/** When something was sent: by the broker's clock where the topics are ours, and by anybody's where they are not. */
import {
  Admin,
  ConfigResourceTypes,
  IncrementalAlterConfigOperationTypes,
  ProduceAcks,
  Producer,
} from '@platformatic/kafka';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Cluster } from '../../../scripts/kafka/cluster.ts';
import { clientOptions } from '../../../src/platform/event-bus/kafka/client.ts';
import { openFetcher } from '../../../src/platform/event-bus/kafka/fetcher.ts';
import { openKafkaBus } from '../../../src/platform/event-bus/kafka/kafka-bus.ts';
import { readAll } from '../../../src/platform/event-bus/kafka/tail.ts';
import { topicsOfServices } from '../../../src/platform/event-bus/kafka/topic-specs.ts';
import { applyTopics } from '../../../src/platform/event-bus/kafka/topics.ts';
import { openRelay } from '../../../src/platform/event-bus/relaying.ts';
import { createLogger } from '../../../src/platform/telemetry/logger.ts';
import { kafka, startKafka } from '../../support/kafka.ts';
import { until } from '../../support/until.ts';
import { busBed } from './bed.ts';
import { hearing } from './heard.ts';

const TOPICS = topicsOfServices(['note'], { partitions: 1, replicas: 1 });
const TOPIC = 'note.events';
const HOUR = 3_600_000;

/** A broker goes on by what a topic was configured with before, for a moment. */
const isTaken = (sent: Promise<unknown>): Promise<boolean> =>
  sent.then(
    () => true,
    () => false,
  );

kafka.describe('on a broker', () => {
  let cluster: Cluster | undefined;
  const settings = () => ({ bootstrapServers: cluster?.bootstrap.split(',') ?? [] });
  const opened: { readonly stop: () => Promise<unknown> }[] = [];
  beforeAll(async () => {
    cluster = await startKafka();
  });
  afterEach(async () => {
    for (const { stop } of opened.splice(0).toReversed()) await stop();
  });
  afterAll(() => cluster?.stop());

  const bed = busBed(() => openKafkaBus(settings()));
  const publish = async (): Promise<void> => {
    const { database, committed } = bed.producer();
    const publisher = openKafkaBus(settings());
    const relay = openRelay({ source: 'note', database, publisher, committed, logger: createLogger('silent') });
    opened.push({ stop: () => relay.stop().then(() => publisher.close()) });
    await relay.start();
  };
  const somebody = (): Producer<Buffer, Buffer, Buffer, Buffer> => {
    const producer = new Producer({ ...clientOptions(settings(), 'somebody'), idempotent: false });
    opened.push({ stop: () => producer.close(true) });
    return producer;
  };
  const put = (producer: ReturnType<typeof somebody>, timestamp: bigint, headers: Record<string, string> = {}) =>
    producer.send({
      messages: [
        {
          topic: TOPIC,
          key: Buffer.from('k'),
          value: Buffer.from('v'),
          timestamp,
          headers: new Map(Object.entries(headers).map(([name, text]) => [Buffer.from(name), Buffer.from(text)])),
        },
      ],
      acks: ProduceAcks.ALL,
    });
  const timestamps = async (): Promise<readonly number[]> => {
    const fetcher = openFetcher(settings(), 'onlooker');
    const found: number[] = [];
    for await (const { records } of readAll(fetcher, [TOPIC]))
      found.push(...records.map((one) => Number(one.timestamp)));
    await fetcher.close();
    return found;
  };
  const withAdmin = async (run: (admin: Admin) => Promise<unknown>): Promise<void> => {
    const admin = new Admin(clientOptions(settings(), 'admin'));
    await run(admin).finally(() => admin.close());
  };

  test('a sender whose clock is two hours ahead is not refused, and is believed nothing; on topics of before, too', async () => {
    await withAdmin((admin) => admin.createTopics({ topics: [{ topic: TOPIC, partitions: 1, replicas: 1 }] }));
    const producer = somebody();
    await expect(put(producer, BigInt(Date.now() + 2 * HOUR)), 'the control').rejects.toThrow();
    const applied = await applyTopics(settings(), TOPICS);
    expect(applied.find(({ name }) => name === TOPIC)?.outcome).toBe('configured');
    await until('it to be taken', () => isTaken(put(producer, BigInt(Date.now() + 2 * HOUR))));
    const [sent = Number.NaN] = (await timestamps()).slice(-1);
    expect(Math.abs(sent - Date.now())).toBeLessThan(HOUR);
    expect((await applyTopics(settings(), TOPICS)).find(({ name }) => name === TOPIC)?.outcome).toBe('there');
  });

  test('whatever a stranger’s clock says where it is believed, nobody is held up, nor a relay that starts then', async () => {
    await applyTopics(settings(), TOPICS);
    await withAdmin((admin) =>
      admin.incrementalAlterConfigs({
        resources: [
          {
            resourceType: ConfigResourceTypes.TOPIC,
            resourceName: TOPIC,
            configs: [
              ['message.timestamp.type', 'CreateTime'],
              ['message.timestamp.after.max.ms', String(2n ** 63n - 1n)],
            ].map(([name = '', value = '']) => ({
              name,
              value,
              configOperation: IncrementalAlterConfigOperationTypes.SET,
            })),
          },
        ],
      }),
    );
    const producer = somebody();
    const odd = [1_700_000_000_000_000n, 1_700_000_000_000_000_000n, -100_000_000_000_000n, -9_000_000_000_000_000n];
    for (const timestamp of odd) {
      await until('it to be taken', () => isTaken(put(producer, timestamp)));
      await put(producer, timestamp, { ce_recordedat: '2026-02-30T00:00:00Z' });
    }
    expect((await timestamps()).map(BigInt)).toEqual(expect.arrayContaining(odd));
    await bed.listen([hearing()]);
    await publish();
    const id = await bed.say('one');
    await until('it to be heard', async () => (await bed.heard()).has(id));
    expect((await bed.parked()).filter(([key]) => key.startsWith('record ')).length).toBeGreaterThanOrEqual(8);
  });
});
