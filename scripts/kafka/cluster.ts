/**
 * Brokers of Apache Kafka on this machine, without a container: each a process that is broker and controller, to be
 * killed, frozen and started again on its data. They end with their parent, however that ends.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Admin } from '@platformatic/kafka';
import { clientOptions, type KafkaSettings } from '../../src/platform/event-bus/kafka/client.ts';
import { type KafkaJars, kafkaJars } from './install.ts';
import { archiveClasses, isArchiveThere, requireJava } from './java.ts';
import { HOST, type KafkaNode, type Member, openNode } from './node.ts';

export type Cluster = {
  /** As clients name it. */
  readonly bootstrap: string;
  readonly nodes: readonly KafkaNode[];
  /** Resolves once so many of the nodes (all of them, by default) are in the cluster and take requests. */
  ready(count?: number): Promise<void>;
  stop(): Promise<void>;
};
export type ClusterOptions = {
  /** Of the data; kept. Another cluster's is refused by the brokers themselves. */
  readonly folder: string;
  /** 1, or 3 with three replicas of everything, of which two must acknowledge. */
  readonly count: 1 | 3;
  /** Two for each node: for clients, and among the nodes. */
  readonly ports: readonly number[];
  readonly report?: (line: string) => void;
  /** More of server.properties. */
  readonly settings?: Readonly<Record<string, string>>;
  /** More of what the data is formatted with, such as the first user. */
  readonly format?: readonly string[];
  /** Who may ask a broker whether it is ready, where not everybody may. */
  readonly access?: Access;
};
type Access = Pick<KafkaSettings, 'sasl' | 'tls'>;

const START_BOUND = 90_000;

/** Answers once all nodes are ready. Throws what to install where Java or Maven are missing, and what a broker said that failed. */
export const startCluster = async ({ report = () => undefined, ...options }: ClusterOptions): Promise<Cluster> => {
  const { folder, count, ports, settings = {}, format = [], access = {} } = options;
  await requireJava();
  const jars = await kafkaJars(report);
  await mkdir(folder, { recursive: true });
  const cluster = await clusterId(folder);
  const places = Array.from({ length: count }, (_, n) => {
    const [client = 0, internal = 0] = ports.slice(n * 2);
    return { id: n + 1, client, internal };
  });
  const voters = places.map(({ id, internal }) => `${id}@${HOST}:${internal}`).join(',');
  const members = places.map((place) => ({ ...place, cluster, count, voters, settings, format }));
  const [first] = members;
  if (first !== undefined && !isArchiveThere(jars)) await warmUp(jars, path.join(folder, 'warm-up'), first);
  const nodes = await Promise.all(members.map((member) => openNode(jars, folder, member)));
  for (const node of nodes) node.start();
  const running: Cluster = {
    bootstrap: nodes.map(({ address }) => address).join(','),
    nodes,
    ready: (wanted = count) => readyOf(nodes, access, wanted),
    stop: async () => {
      await Promise.all(nodes.map((node) => node.stop()));
    },
  };
  try {
    await running.ready();
  } catch (error) {
    await running.stop();
    throw error;
  }
  return running;
};

/** 22 signs of base64url. One that begins with a dash is an option to Kafka's tools. */
const newClusterId = (): string => {
  const id = randomBytes(16).toString('base64url');
  return id.startsWith('-') ? newClusterId() : id;
};

/** The same for all nodes of a folder, for ever. */
const clusterId = async (folder: string): Promise<string> => {
  const file = path.join(folder, 'cluster-id');
  if (!existsSync(file)) await writeFile(file, newClusterId());
  return (await readFile(file, 'utf8')).trim();
};

/** Once for all clusters: a broker that stands at a member's ports for that time, and is open to everybody. */
const warmUp = (jars: KafkaJars, folder: string, { voters, ...member }: Member): Promise<void> =>
  archiveClasses(jars, async (options) => {
    const alone = { ...member, count: 1, voters: voters.split(',')[0] ?? '', settings: {}, format: [] };
    const node = await openNode(jars, folder, alone, options);
    node.start();
    try {
      await readyOf([node], {}, 1);
    } finally {
      await node.stop();
      await rm(folder, { recursive: true, force: true });
    }
  });

const readyOf = async (nodes: readonly KafkaNode[], access: Access, wanted: number): Promise<void> => {
  const deadline = performance.now() + START_BOUND;
  for (;;) {
    const running = nodes.filter(({ runs }) => runs());
    const seen = await Promise.all(running.map(({ address }) => brokersSeenAt(address, access)));
    const ready = seen.filter((brokers) => brokers >= wanted).length;
    if (ready >= wanted) return;
    const [failure] = (await Promise.all(running.map((node) => node.failure()))).filter((one) => one !== undefined);
    if (failure !== undefined) throw new Error(failure);
    if (performance.now() > deadline)
      throw new Error(`of ${running.length} brokers ${ready} are ready after ${START_BOUND / 1000} s: see broker.log`);
    await pause(150);
  }
};
/** How many are in the cluster, by the word of one; 0 while it does not answer. */
const brokersSeenAt = async (address: string, access: Access): Promise<number> => {
  const options = clientOptions({ bootstrapServers: [address], ...access }, 'ready');
  const admin = new Admin({ ...options, retries: 0, timeout: 2_000, connectTimeout: 1_000 });
  try {
    return (await admin.metadata({ topics: [], forceUpdate: true })).brokers.size;
  } catch {
    return 0; // not yet
  } finally {
    await admin.close().catch(() => undefined); // it was never connected
  }
};
