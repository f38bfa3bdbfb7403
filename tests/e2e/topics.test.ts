/** The topics of an installation, by the word of a broker: they are as they must be, and nobody else makes them. */
import {
  Admin,
  type ConfigDescription,
  ConfigResourceTypes,
  IncrementalAlterConfigOperationTypes,
} from '@platformatic/kafka';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Cluster } from '../../scripts/kafka/cluster.ts';
import { clientOptions } from '../../src/platform/event-bus/kafka/client.ts';
import { topicsOfServices } from '../../src/platform/event-bus/kafka/topic-specs.ts';
import { applyTopics } from '../../src/platform/event-bus/kafka/topics.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { freePort } from '../support/free-port.ts';
import { databaseSettings } from '../support/installation.ts';
import { kafka, startKafka } from '../support/kafka.ts';
import { until } from '../support/until.ts';
import { asking, newPerson } from './support/client.ts';
import { answering, productBedPerTest, type Run } from './support/product.ts';

const SERVICES = ['user', 'task', 'notification'] as const;
const TOPICS = [
  ...SERVICES.flatMap((name) => [`${name}.events`, `${name}.events.private`]),
  'system.events',
].toSorted();
const byName = (one: ConfigDescription, other: ConfigDescription) => (one.resourceName < other.resourceName ? -1 : 1);
const A_WEEK = String(7 * 24 * 3_600_000);

/** Asks the broker as somebody who is no part of the product. */
const asAdmin = async <T>({ bootstrap }: Cluster, ask: (admin: Admin) => Promise<T>, more = {}): Promise<T> => {
  const admin = new Admin({ ...clientOptions({ bootstrapServers: bootstrap.split(',') }, 'onlooker'), ...more });
  return ask(admin).finally(() => admin.close());
};
const names = async (cluster: Cluster): Promise<readonly string[]> =>
  (await asAdmin(cluster, (admin) => admin.listTopics({}))).toSorted();

kafka.describe('taskwire topics apply', () => {
  const bed = productBedPerTest();
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startKafka(3);
  });
  afterAll(() => cluster?.stop());

  const apply = async (partitions: number) => {
    const env = { KAFKA_BOOTSTRAP_SERVERS: cluster.bootstrap, KAFKA_TOPIC_REPLICAS: '3' };
    const run = bed.taskwire(['topics', 'apply'], { env: { ...env, KAFKA_TOPIC_PARTITIONS: String(partitions) } });
    expect(await run.exit, run.output()).toEqual({ code: 0, signal: null });
    return run.output();
  };
  /** Of each topic its partitions, on how many brokers each of them lies, and what it is configured with. */
  const inBroker = () =>
    asAdmin(cluster, async (admin) => {
      const { topics } = await admin.metadata({ topics: TOPICS, forceUpdate: true });
      const resources = TOPICS.map((name) => ({ resourceType: ConfigResourceTypes.TOPIC, resourceName: name }));
      const described = await admin.describeConfigs({ resources, includeSynonyms: false, includeDocumentation: false });
      const settingsOf = ({ configs }: Pick<ConfigDescription, 'configs'>) =>
        Object.fromEntries(configs.map(({ name, value }) => [name, value]));
      return described.toSorted(byName).map((one) => ({
        name: one.resourceName,
        replicas: topics.get(one.resourceName)?.partitions.map(({ replicas }) => new Set(replicas).size),
        settings: settingsOf(one),
      }));
    });
  const asTheyMustBe = TOPICS.map((name) => ({
    name,
    replicas: [3, 3, 3, 3],
    settings: expect.objectContaining({
      'cleanup.policy': 'delete',
      'retention.ms': '-1',
      'retention.bytes': '-1',
      'max.message.bytes': String(6 * 1024 * 1024 + 64 * 1024),
      'message.timestamp.type': 'LogAppendTime',
      'min.insync.replicas': '2',
    }),
  }));

  /** Any of the three is asked; what one has made, another hears of a moment later. */
  const everywhere = () => expect.poll(inBroker, { timeout: 60_000 }).toEqual(asTheyMustBe);

  test('makes what the broker then says: kept for ever, 6 MB an event, on three brokers of which two must acknowledge', async () => {
    const said = await apply(4);
    for (const name of TOPICS) expect(said).toMatch(new RegExp(`^${name} +made +4 +3$`, 'm'));
    await everywhere();
    await expect.poll(() => names(cluster), { timeout: 60_000 }).toEqual(TOPICS);
  });

  test('sets right what somebody changed, and says of which; partitions it leaves as they are, and says that too', async () => {
    const configs = [
      ['retention.ms', A_WEEK],
      ['min.insync.replicas', '1'],
    ].map(([name = '', value = '']) => ({
      name,
      value,
      configOperation: IncrementalAlterConfigOperationTypes.SET,
    }));
    const resource = { resourceType: ConfigResourceTypes.TOPIC, resourceName: 'task.events' };
    await asAdmin(cluster, (admin) => admin.incrementalAlterConfigs({ resources: [{ ...resource, configs }] }));
    const isForgotten = async () =>
      (await inBroker()).some(
        ({ settings }) => settings['retention.ms'] === A_WEEK && settings['min.insync.replicas'] === '1',
      );
    // Whoever is asked next may be another broker.
    const areAgreed = async () => (await Promise.all(Array.from({ length: 9 }, isForgotten))).every(Boolean);
    await until('the topic to be changed', areAgreed);

    const said = await apply(4);
    expect(said).toMatch(/^task\.events +set right +4 +3$/m);
    expect(said).toMatch(/^user\.events +as it must be +4 +3$/m);
    await until('the topic to be set right', async () => !(await isForgotten()));
    await everywhere();
    expect(await apply(8)).toMatch(/^task\.events +DIFFERENT +4 +3$/m);
    await everywhere();
  });
});

kafka.describe('a broker that makes topics by itself', () => {
  const bed = productBedPerTest();
  let cluster: Cluster;
  let database: TestDatabase;
  beforeAll(async () => {
    [cluster, database] = await Promise.all([
      startKafka(1, { settings: { 'auto.create.topics.enable': 'true' } }),
      createTestDatabase(),
    ]);
  });
  afterAll(async () => {
    await Promise.all([cluster?.stop(), database?.drop()]);
  });

  test('is never led to: who misses a topic waits for it and says so, and so does who loses it', async () => {
    const settings = { bootstrapServers: cluster.bootstrap.split(',') };
    await asAdmin(cluster, (admin) => admin.metadata({ topics: ['control'] }), { autocreateTopics: true });
    await until('whoever asks so to be made a topic', async () => (await names(cluster)).includes('control'));
    const userPort = await freePort();
    const env = {
      ...databaseSettings(database),
      PUBLIC_URL: 'http://localhost:8000',
      DATA_DIR: await bed.folder(),
      USER_PORT: String(userPort),
      USER_SERVICE_URL: `http://127.0.0.1:${userPort}`,
      KAFKA_BOOTSTRAP_SERVERS: cluster.bootstrap,
      KAFKA_TOPIC_PARTITIONS: '1',
    };
    const run = (...args: readonly string[]) => bed.taskwire(args, { env });
    const [user, task, notification] = [run('start', 'user'), run('start', 'task'), run('start', 'notification')];

    const waits = (one: Run, topic: string) => one.said(new RegExp(`has no topic [^"]*${topic}[^"]* yet`));
    await Promise.all([waits(user, 'user'), waits(task, 'task'), waits(notification, 'notification')]);
    const verify = run('events', 'verify', '--from', 'kafka');
    expect((await verify.exit).code).toBe(1);
    expect(verify.output()).toContain('run `taskwire topics apply`');
    expect(await names(cluster)).toEqual(['control']);

    // With its own it begins, and what it hears is missing.
    const own = topicsOfServices(['notification'], { partitions: 1, replicas: 1 }).filter(
      ({ name }) => name !== 'system.events',
    );
    await applyTopics(settings, own);
    await answering(notification);
    await Promise.all([waits(notification, 'user'), waits(notification, 'task')]);
    expect(await names(cluster)).toEqual(['control', ...own.map(({ name }) => name)]);

    expect((await run('topics', 'apply').exit).code).toBe(0);
    const { url } = await answering(user);
    const ada = await newPerson(url);
    const tasks = asking((await answering(task)).url, ada.token);
    const write = async (title: string) => (await tasks('POST', '/api/v1/tasks', { body: { title } })).status;
    expect(await write('Drink tea')).toBe(201);
    const mailbox = asking((await answering(notification)).url);
    const hasMail = async () => JSON.stringify((await mailbox('GET', '/api/v1/dev/mailbox')).body).includes(ada.email);
    await until('the welcome mail', hasMail);

    // A relay under way whose topic goes.
    const lost = ['task.events', 'task.events.private'];
    await asAdmin(cluster, (admin) => admin.deleteTopics({ topics: lost }));
    expect(await write('Bake a cake')).toBe(201);
    const tries = () => task.output().match(/"msg":"the relay waits"/g)?.length ?? 0;
    await until('the relay to have tried some times', () => tries() >= 3);
    expect(await names(cluster)).toEqual(['control', ...TOPICS.filter((name) => !lost.includes(name))].toSorted());
  });
});
