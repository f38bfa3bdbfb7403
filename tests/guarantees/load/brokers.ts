/** What the brokers of an installation say of a topic: who leads it, and who has all that was acknowledged. */
import { Admin } from '@platformatic/kafka';
import type { Cluster } from '../../../scripts/kafka/cluster.ts';
import type { KafkaNode } from '../../../scripts/kafka/node.ts';
import { clientOptions } from '../../../src/platform/event-bus/kafka/client.ts';
import { until } from '../../support/until.ts';

const partitionsOf = async ({ bootstrap }: Cluster, topic: string) => {
  const admin = new Admin(clientOptions({ bootstrapServers: bootstrap.split(',') }, 'onlooker'));
  try {
    const { topics } = await admin.metadata({ topics: [topic], forceUpdate: true });
    return topics.get(topic)?.partitions ?? [];
  } finally {
    await admin.close();
  }
};

const MOST_PARTITIONS = 64;
/** Bytes of every topic that holds no events, of which there must not be more and more. */
export const bytesBesideEvents = async ({ bootstrap }: Cluster): Promise<ReadonlyMap<string, number>> => {
  const admin = new Admin(clientOptions({ bootstrapServers: bootstrap.split(',') }, 'onlooker'));
  try {
    const names = await admin.listTopics({ includeInternals: true });
    const others = names.filter((name) => !/\.events(\.private)?$/.test(name));
    // The client has no metadata of internal topics; partitions that there are not are left out of the answer.
    const asked = others.map((name) => ({ name, partitions: Array.from({ length: MOST_PARTITIONS }, (_, n) => n) }));
    const bytes = new Map(asked.map(({ name }) => [name, 0]));
    for (const { results } of await admin.describeLogDirs({ topics: asked }))
      for (const { topics: held } of results)
        for (const { name, partitions } of held)
          bytes.set(
            name,
            partitions.reduce((sum, { partitionSize }) => sum + Number(partitionSize), bytes.get(name) ?? 0),
          );
    return bytes;
  } finally {
    await admin.close();
  }
};

/** The node that leads most of a topic's partitions. */
export const leaderOf = async (cluster: Cluster, topic: string): Promise<KafkaNode> => {
  const led = Map.groupBy(await partitionsOf(cluster, topic), ({ leader }) => leader);
  const [[id] = []] = [...led].sort(([, one], [, other]) => other.length - one.length);
  const node = cluster.nodes.find((one) => one.id === id);
  if (node === undefined) throw new Error(`nobody leads ${topic}`);
  return node;
};

/** Resolves once every node has all of a topic. */
export const inSync = (cluster: Cluster, topic: string): Promise<boolean> =>
  until(
    `all replicas of ${topic} to be in sync`,
    async () => {
      const partitions = await partitionsOf(cluster, topic).catch(() => []); // a node may have gone just now
      return partitions.length > 0 && partitions.every(({ isr }) => isr.length === cluster.nodes.length);
    },
    90_000,
  );
