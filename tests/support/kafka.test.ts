/** The brokers that other tests rely on, and `npm run kafka`. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Admin, Consumer, MessagesStreamModes, ProduceAcks, Producer } from '@platformatic/kafka';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Cluster } from '../../scripts/kafka/cluster.ts';
import { clientOptions } from '../../src/platform/event-bus/kafka/client.ts';
import { kafka, startKafka } from './kafka.ts';
import { until } from './until.ts';

const clientOf = ({ bootstrap }: Cluster) => clientOptions({ bootstrapServers: bootstrap.split(',') }, 'test');

const make = async (cluster: Cluster, topic: string, replicas: number): Promise<number> => {
  const admin = new Admin(clientOf(cluster));
  try {
    await admin.createTopics({ topics: [{ topic, partitions: 1, replicas }] });
    const made = await until('the topic', async () => (await admin.metadata({ topics: [topic] })).topics.get(topic));
    return made.partitions[0]?.leader ?? 0;
  } finally {
    await admin.close();
  }
};
const say = async (cluster: Cluster, topic: string, ...values: readonly string[]): Promise<void> => {
  const producer = new Producer({ ...clientOf(cluster), retries: 100 });
  try {
    const messages = values.map((value) => ({ topic, value: Buffer.from(value) }));
    await producer.send({ messages, acks: ProduceAcks.ALL });
  } finally {
    await producer.close();
  }
};
const hear = async (cluster: Cluster, topic: string, count: number): Promise<readonly string[]> => {
  const consumer = new Consumer({ ...clientOf(cluster), groupId: `hears-${randomInt(1e9)}`, retries: 100 });
  const heard: string[] = [];
  try {
    const stream = await consumer.consume({ topics: [topic], mode: MessagesStreamModes.EARLIEST });
    for await (const { value } of stream) if (heard.push(value.toString()) === count) break;
    return heard;
  } finally {
    await consumer.close(true);
  }
};

kafka.describe('one broker', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startKafka();
  }); // the first time it is fetched
  afterAll(() => cluster.stop());

  test('keeps what it acknowledged when it is killed', async () => {
    await make(cluster, 'notes', 1);
    await say(cluster, 'notes', 'before');
    await cluster.nodes[0]?.kill();
    expect(cluster.nodes[0]?.runs()).toBe(false);
    cluster.nodes[0]?.start();
    await cluster.ready();
    await say(cluster, 'notes', 'after');
    expect(await hear(cluster, 'notes', 2)).toEqual(['before', 'after']);
  });

  test('takes a message of 6 MB', async () => {
    await make(cluster, 'large', 1);
    await say(cluster, 'large', 'x'.repeat(6 * 1024 * 1024));
    expect((await hear(cluster, 'large', 1))[0]).toHaveLength(6 * 1024 * 1024);
  });

  test('makes no topic by itself', async () => {
    const admin = new Admin({ ...clientOf(cluster), retries: 0 });
    await expect(admin.metadata({ topics: ['nobody-made-it'] })).rejects.toThrow('Unknown topic nobody-made-it');
    expect(await admin.listTopics({})).not.toContain('nobody-made-it');
    await admin.close();
  });

  test('says why, when it cannot start', async () => {
    await expect(startKafka(1, { settings: { 'process.roles': 'waiter' } })).rejects.toThrow(/process\.roles/);
  });
});

kafka.describe('three brokers', () => {
  test('go on without the leader of a topic', async () => {
    const cluster = await startKafka(3);
    try {
      const leader = await make(cluster, 'notes', 3);
      await say(cluster, 'notes', 'by all');
      await cluster.nodes.find(({ id }) => id === leader)?.kill();
      await say(cluster, 'notes', 'by two');
      expect(await hear(cluster, 'notes', 2)).toEqual(['by all', 'by two']);
    } finally {
      await cluster.stop();
    }
  });
});

kafka.describe('npm run kafka', () => {
  // Not of the ports that the system lends: what it needs beside them may be lent to somebody.
  const port = randomInt(20_000, 30_000);
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'taskwire-kafka-script-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const run = async (): Promise<ChildProcess> => {
    const args = ['bin/run.js', 'scripts/kafka.ts', '--port', String(port), '--dir', folder];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr?.on('data', (chunk) => {
      said += chunk;
    });
    await until('the broker', () => said.includes(`KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:${port}`), 60_000);
    return child;
  };
  const answers = (): Promise<boolean> => {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const socket = connect(port, '127.0.0.1', () => resolve(true));
    socket.on('error', () => resolve(false));
    return promise.finally(() => socket.destroy());
  };

  test('ends its broker however it ends itself, and finds its data again', async () => {
    const killed = await run();
    expect(await answers()).toBe(true);
    killed.kill('SIGKILL');
    await until('the broker to be gone', async () => !(await answers()));

    const asked = await run();
    asked.kill('SIGINT');
    expect(await once(asked, 'exit')).toEqual([0, null]);
    expect(await answers()).toBe(false);
  });
});
