/** Each service under a principal of its own on a broker that asks: what it is refused, what it may, and the product on it. */
import {
  AclOperations,
  AclPermissionTypes,
  Admin,
  Consumer,
  ProduceAcks,
  Producer,
  ResourcePatternTypes,
  ResourceTypes,
} from '@platformatic/kafka';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { clientOptions, isProtocolError } from '../../src/platform/event-bus/kafka/client.ts';
import { openFetcher } from '../../src/platform/event-bus/kafka/fetcher.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { kafka } from '../support/kafka.ts';
import { type SecureKafka, startSecureKafka } from '../support/kafka-secure.ts';
import { until } from '../support/until.ts';
import { asking, newPerson } from './support/client.ts';
import { answering, productBed } from './support/product.ts';

const NAMES = ['user', 'task', 'notification'] as const;
type Name = (typeof NAMES)[number];
const principalOf = (name: Name) => `${name}-service`;
const PRINCIPALS = [...NAMES.map(principalOf), 'operators'];
/** Commands and services are processes of their own, which take their time on a busy machine. */
const TOPICS = [...NAMES.flatMap((name) => [`${name}.events`, `${name}.events.private`]), 'system.events'];

kafka.describe('on a broker that asks who somebody is', () => {
  const bed = productBed();
  let broker: SecureKafka;
  let database: TestDatabase;

  const taskwire = async (user: string, ...args: readonly string[]) => {
    const run = bed.taskwire(args, { env: { ...broker.environment(user), KAFKA_TOPIC_PARTITIONS: '1' } });
    const { code } = await run.exit;
    return { code, said: run.output() };
  };

  /** `allowed`, or what Kafka calls the refusal. */
  const outcome = async (asked: Promise<unknown>): Promise<string> => {
    try {
      await asked;
      return 'allowed';
    } catch (error) {
      const refusals = ['TOPIC', 'GROUP', 'CLUSTER'].map((what) => `${what}_AUTHORIZATION_FAILED`);
      const refused = refusals.find((refusal) => isProtocolError(error, refusal));
      if (refused === undefined) throw error;
      return refused;
    }
  };
  const asAdmin = async (user: string, ask: (admin: Admin) => Promise<unknown>) => {
    const admin = new Admin({ ...clientOptions(broker.as(user), 'test'), retries: 0 });
    return outcome(ask(admin).finally(() => admin.close()));
  };
  const write = (user: string, topic: string): Promise<string> => {
    const producer = new Producer({ ...clientOptions(broker.as(user), 'test'), retries: 0 });
    const messages = [{ topic, value: Buffer.from('no event') }];
    return outcome(producer.send({ messages, acks: ProduceAcks.ALL }).finally(() => producer.close(true)));
  };
  const read = async (user: string, topic: string): Promise<string> => {
    const fetcher = openFetcher(broker.as(user), 'test');
    const ask = async () => {
      const [begin = 0n] = (await fetcher.offsets([topic], 'earliest')).get(topic) ?? [];
      const [end = 0n] = (await fetcher.offsets([topic], 'latest')).get(topic) ?? [];
      if (end === begin) return;
      await until(
        'a record',
        async () => (await fetcher.poll([{ topic, partition: 0, offset: begin }], 500)).length > 0,
      );
    };
    return outcome(ask().finally(() => fetcher.close()));
  };
  const join = (user: string, groupId: string, topic: string): Promise<string> => {
    const consumer = new Consumer({ ...clientOptions(broker.as(user), 'test'), groupId, retries: 50 }); // the first group is waited for
    consumer.topics.track(topic);
    return outcome(consumer.joinGroup({}).finally(() => consumer.close(true)));
  };

  /** That the user service may write what tasks say. */
  const giveRights = (user: string): Promise<string> => {
    const target = { resourceType: ResourceTypes.TOPIC, resourceName: 'task.events', host: '*' };
    const right = { operation: AclOperations.WRITE, permissionType: AclPermissionTypes.ALLOW };
    const acl = {
      ...target,
      ...right,
      resourcePatternType: ResourcePatternTypes.LITERAL,
      principal: 'User:user-service',
    };
    return asAdmin(user, (admin) => admin.createAcls({ creations: [acl] }));
  };

  beforeAll(async () => {
    [broker, database] = await Promise.all([startSecureKafka(PRINCIPALS), createTestDatabase()]);
    const applied = await taskwire('admin', 'acls', 'apply');
    expect(applied.said).toMatch(/^User:notification-service {2}7 +0 +0$/m);
    const made = await taskwire('operators', 'topics', 'apply');
    expect(made.said).toMatch(/^task\.events\.private +made/m);
    expect([applied.code, made.code]).toEqual([0, 0]);
  });
  afterAll(async () => {
    await bed.clear();
    await Promise.all([broker?.stop(), database?.drop()]);
  });

  describe.each(NAMES)('the %s service', (name) => {
    const user = principalOf(name);
    const own = [`${name}.events`, `${name}.events.private`];
    const heard = name === 'notification' ? ['user.events', 'task.events'] : [];

    test('writes its own topics alone', async () => {
      const written = await Promise.all(TOPICS.map(async (topic) => [topic, await write(user, topic)]));
      expect(Object.fromEntries(written)).toEqual(
        Object.fromEntries(TOPICS.map((one) => [one, own.includes(one) ? 'allowed' : 'TOPIC_AUTHORIZATION_FAILED'])),
      );
    });

    test('reads its own topics and what it hears, and nothing that is private to another', async () => {
      const known = [...own, ...heard];
      const seen = await Promise.all(TOPICS.map(async (topic) => [topic, await read(user, topic)]));
      expect(Object.fromEntries(seen)).toEqual(
        Object.fromEntries(TOPICS.map((one) => [one, known.includes(one) ? 'allowed' : 'TOPIC_AUTHORIZATION_FAILED'])),
      );
    });

    test('joins groups by its own name, where it hears somebody', async () => {
      const wanted = name === 'notification' ? 'allowed' : 'GROUP_AUTHORIZATION_FAILED';
      expect(await join(user, `${name}.test`, own[0] ?? '')).toBe(wanted);
      expect(await join(user, 'another.test', own[0] ?? '')).toBe('GROUP_AUTHORIZATION_FAILED');
    });

    test('makes and removes no topic, and gives nobody rights', async () => {
      const topic = `${name}.more`;
      expect(
        await asAdmin(user, (admin) => admin.createTopics({ topics: [{ topic, partitions: 1, replicas: 1 }] })),
      ).toBe('TOPIC_AUTHORIZATION_FAILED');
      expect(await asAdmin(user, (admin) => admin.deleteTopics({ topics: [`${name}.events`] }))).toBe(
        'TOPIC_AUTHORIZATION_FAILED',
      );
      expect(await giveRights(user)).toBe('CLUSTER_AUTHORIZATION_FAILED');
    });
  });

  test('operators read everything, and write no event', async () => {
    expect(new Set(await Promise.all(TOPICS.map((topic) => read('operators', topic))))).toEqual(new Set(['allowed']));
    expect(await write('operators', 'user.events')).toBe('TOPIC_AUTHORIZATION_FAILED');
    expect((await taskwire('operators', 'acls', 'apply')).code).toBe(1);
  });

  test('nobody comes in with a wrong password, or without TLS', async () => {
    for (const settings of [broker.as('user-service', 'a guess'), { ...broker.as('user-service'), tls: undefined }]) {
      const admin = new Admin({ ...clientOptions(settings, 'test'), retries: 0, timeout: 2_000 });
      await expect(admin.metadata({ topics: [] })).rejects.toThrow('Cannot connect to any broker');
      await admin.close();
    }
  });

  test('what somebody got beyond is taken away, and twice is once', async () => {
    expect(await giveRights('admin')).toBe('allowed');
    await until('the grant', async () => (await write('user-service', 'task.events')) === 'allowed');
    expect((await taskwire('admin', 'acls', 'apply')).said).toMatch(/^User:user-service +0 +4 +1$/m);
    await until('its end', async () => (await write('user-service', 'task.events')) === 'TOPIC_AUTHORIZATION_FAILED');
  });

  test('the product runs on these principals', async () => {
    const { host, port, database: db, user: owner, password } = database.address;
    const settings = { DB_HOST: host, DB_PORT: String(port), DB_NAME: db, DB_USER: owner, DB_PASSWORD: password };
    const common = { ...settings, DATA_DIR: await bed.folder() };
    const start = async (name: Name, more: Readonly<Record<string, string>> = {}) => {
      const env = { ...common, ...broker.environment(principalOf(name)), INSTANCE_ID: name, ...more };
      return answering(bed.taskwire(['start', name], { env }));
    };
    const user = await start('user');
    const others = { USER_SERVICE_URL: user.url };
    const [task, notification] = await Promise.all([start('task', others), start('notification', others)]);
    const ada = await newPerson(user.url);
    const made = await asking(task.url, ada.token)('POST', '/api/v1/tasks', { body: { title: 'Over TLS' } });
    const done = await asking(task.url, ada.token)('POST', `${made.headers.get('location')}/complete`);
    expect([made.status, done.status]).toEqual([201, 200]);
    const inbox = asking(notification.url, ada.token);
    const told = await until('the entry', async () => {
      const { body } = await inbox('GET', '/api/v1/inbox');
      return Array.isArray(body?.items) && body.items.length > 0 ? body.items : undefined;
    });
    expect(told).toMatchObject([{ about: { id: made.body?.id } }]);

    // To have topics made anew is for operators alone.
    task.signal('SIGTERM');
    await task.exit;
    const republish = async (who: string) => {
      const env = { ...common, ...broker.environment(who), KAFKA_TOPIC_PARTITIONS: '1' };
      const run = bed.taskwire(['events', 'republish', '--to', 'kafka', '--service', 'task'], { env });
      const { code } = await run.exit;
      return { code, said: run.output() };
    };
    expect(await republish(principalOf('task'))).toMatchObject({ code: 1 });
    const emptied = await republish('operators');
    expect(emptied, emptied.said).toMatchObject({ code: 0 });
    expect(emptied.said).toContain('task.events and task.events.private are empty');
  });
});
