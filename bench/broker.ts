/** Apache Kafka for one row: a broker with all there is to it in a folder, as `npm run kafka` starts it. */
import { type Cluster, startCluster } from '../scripts/kafka/cluster.ts';
import { requireJava } from '../scripts/kafka/java.ts';
import type { KafkaSettings } from '../src/platform/event-bus/kafka/client.ts';
import { topicsOfServices } from '../src/platform/event-bus/kafka/topic-specs.ts';
import { applyTopics } from '../src/platform/event-bus/kafka/topics.ts';
import { cpuTime, naming } from './proc.ts';
import { notRun, type Row } from './report.ts';
import { freePort } from './service.ts';

export type Broker = {
  readonly settings: KafkaSettings;
  /** µs so far. */
  readonly cpu: () => number;
};
/** As an installation has it that says nothing of it. */
const PARTITIONS = 8;

/** Where there is no broker to be had, `what` was not run. */
export async function onBroker(what: string, folder: string, rows: (broker: Broker) => Promise<Row[]>): Promise<Row[]> {
  let cluster: Cluster;
  try {
    cluster = await start(`${folder}/kafka-${what}`);
  } catch (error) {
    return [{ what, ours: notRun(error) }];
  }
  try {
    const settings = { bootstrapServers: [cluster.bootstrap] };
    return await rows({ settings, cpu: () => cpuTime(naming(`${folder}/kafka-${what}`)) });
  } finally {
    await Promise.all(cluster.nodes.map((node) => node.kill())); // nobody needs its data
  }
}

const start = async (folder: string): Promise<Cluster> => {
  try {
    await requireJava();
  } catch (cause) {
    throw new Error('needs Java 17 (apt-get install openjdk-17-jre-headless)', { cause });
  }
  const report = (line: string) => void process.stderr.write(`… ${line}\n`);
  return startCluster({ folder, count: 1, ports: [await freePort(), await freePort()], report });
};

/** Those of the producer, and some beside them. */
export const makeTopics = async ({ settings }: Broker, partitions: number = PARTITIONS): Promise<void> => {
  await applyTopics(settings, topicsOfServices(['task', 'user'], { partitions, replicas: 1 }));
};
