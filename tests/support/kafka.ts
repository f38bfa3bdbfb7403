/** Real brokers for tests, on free ports, with data that goes with them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { inject } from 'vitest';
import { type Cluster, type ClusterOptions, startCluster } from '../../scripts/kafka/cluster.ts';
import { areJarsThere } from '../../scripts/kafka/install.ts';
import { freePort } from './free-port.ts';
import { findOnPath, requirement } from './requires.ts';

/** Of `npm run test:integration`; for suites that only speak to it. A script that is no test is told of none. */
const namedBroker = (): string | undefined =>
  process.env.VITEST === undefined ? undefined : inject('named')?.KAFKA_BOOTSTRAP_SERVERS;

/** Java runs a broker; Maven brings it where it is not there yet. */
export const kafka = requirement(
  'Java 17 and Maven',
  'apt-get install openjdk-17-jre-headless maven',
  () => namedBroker() !== undefined || (findOnPath('java') && (areJarsThere() || findOnPath('mvn'))) || undefined,
);

/** `stop` ends them at once and removes their data. */
export const startKafka = async (
  count: 1 | 3 = 1,
  more: Pick<ClusterOptions, 'settings' | 'format' | 'access'> = {},
): Promise<Cluster> => {
  const bootstrap = namedBroker();
  if (bootstrap !== undefined)
    return { bootstrap, nodes: [], ready: async () => undefined, stop: async () => undefined };
  const folder = await mkdtemp(path.join(tmpdir(), 'taskwire-kafka-'));
  const ports = await Promise.all(Array.from({ length: count * 2 }, freePort)); // at once: no two are the same
  const cluster = await startCluster({ folder, count, ports, ...more });
  return {
    ...cluster,
    stop: async () => {
      await Promise.all(cluster.nodes.map((node) => node.kill())); // nobody needs its data
      await rm(folder, { recursive: true, force: true });
    },
  };
};
