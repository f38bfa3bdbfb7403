/** One broker that is its cluster's controller too: its settings, its data, and its process. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { KafkaJars } from './install.ts';
import { runTool, spawnBroker } from './java.ts';

export type KafkaNode = {
  /** 1, 2, … */
  readonly id: number;
  readonly address: string;
  /** On the data that it has; the cluster's `ready` tells when it answers. */
  start(): void;
  /** Gently: it hands over what it leads. */
  stop(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** SIGSTOP: its connections stand, and nothing is answered any more. */
  freeze(): void;
  resume(): void;
  /** Whether it was started, and not ended since. */
  readonly runs: () => boolean;
  /** What it said last, where it ended by itself. */
  readonly failure: () => Promise<string | undefined>;
};
export type Member = {
  readonly id: number;
  /** Ports: for clients, and among the nodes. */
  readonly client: number;
  readonly internal: number;
  /** Of its cluster. */
  readonly cluster: string;
  readonly count: number;
  readonly voters: string;
  /** More of server.properties, and of what the data is formatted with. */
  readonly settings: Readonly<Record<string, string>>;
  readonly format: readonly string[];
};

export const HOST = '127.0.0.1';
/** Bytes: an event of 6 MB, its headers, and room. */
const LARGEST = 7 * 1024 * 1024;
/** ms in which it must have handed over what it leads. */
const PATIENCE = 20_000;

const propertiesOf = ({ id, client, internal, count, voters, settings }: Member, data: string): string => {
  const replicas = String(count);
  const enough = String(Math.max(1, count - 1));
  const properties = {
    'process.roles': 'broker,controller',
    'node.id': String(id),
    'controller.quorum.voters': voters,
    listeners: `CLIENT://${HOST}:${client},INTERNAL://${HOST}:${internal}`,
    'advertised.listeners': `CLIENT://${HOST}:${client}`,
    'listener.security.protocol.map': 'CLIENT:PLAINTEXT,INTERNAL:PLAINTEXT',
    'controller.listener.names': 'INTERNAL',
    'inter.broker.listener.name': 'CLIENT',
    'log.dirs': data,
    'auto.create.topics.enable': 'false',
    'default.replication.factor': replicas,
    'min.insync.replicas': enough,
    'offsets.topic.replication.factor': replicas,
    'offsets.topic.num.partitions': '8',
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': enough,
    'group.initial.rebalance.delay.ms': '0',
    'message.max.bytes': String(LARGEST),
    'replica.fetch.max.bytes': String(LARGEST),
    ...settings,
  };
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
};

/** Its data is made where there is none; the process is not started yet. */
export const openNode = async (
  jars: KafkaJars,
  folder: string,
  member: Member,
  options?: readonly string[],
): Promise<KafkaNode> => {
  const home = path.join(folder, `node-${member.id}`);
  const properties = path.join(home, 'server.properties');
  const log = path.join(home, 'broker.log');
  await prepare(jars, home, properties, member);
  let child: ChildProcess | undefined;
  const atExit = () => void child?.kill('SIGKILL');
  const hasEnded = (one: ChildProcess): boolean => one.exitCode !== null || one.signalCode !== null;

  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const ending = child;
    child = undefined;
    process.off('exit', atExit);
    if (ending?.pid === undefined || hasEnded(ending)) return;
    const gone = once(ending, 'exit');
    ending.kill('SIGCONT');
    ending.kill(signal);
    const late = setTimeout(() => ending.kill('SIGKILL'), PATIENCE);
    await gone;
    clearTimeout(late);
  };
  return {
    id: member.id,
    address: `${HOST}:${member.client}`,
    start: () => {
      if (child !== undefined) throw new Error(`node ${member.id} runs already`);
      child = spawnBroker(jars, properties, log, options);
      process.once('exit', atExit);
    },
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    freeze: () => void child?.kill('SIGSTOP'),
    resume: () => void child?.kill('SIGCONT'),
    runs: () => child !== undefined,
    failure: async () => {
      if (child === undefined || !hasEnded(child)) return undefined;
      const said = await readFile(log, 'utf8');
      return `node ${member.id} ended by itself:\n${said.trimEnd().split('\n').slice(-5).join('\n')}`;
    },
  };
};

const prepare = async (jars: KafkaJars, home: string, properties: string, member: Member): Promise<void> => {
  const data = path.join(home, 'data');
  await mkdir(home, { recursive: true });
  await writeFile(properties, propertiesOf(member, data));
  if (existsSync(path.join(data, 'meta.properties'))) return;
  const format = ['format', '-t', member.cluster, '-c', properties, ...member.format];
  await runTool(jars, 'kafka.tools.StorageTool', ...format);
};
