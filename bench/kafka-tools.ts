/** Kafka's own measuring tools, from the jars that run the broker, in a Java that compiles all it wants to. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { kafkaJars } from '../scripts/kafka/install.ts';
import type { Broker } from './broker.ts';

const run = promisify(execFile);

/**
 * Records a second once it is warm: the first half of what it sends warms it up. It acknowledges as we ask for it, and
 * has its defaults otherwise.
 */
export async function producerPerformance(
  broker: Broker,
  { topic, records, size }: { readonly topic: string; readonly records: number; readonly size: number },
): Promise<number> {
  const load = ['--num-records', String(records * 2), '--warmup-records', String(records)];
  const record = ['--record-size', String(size), '--throughput', '-1', '--command-property', 'acks=all'];
  const said = await tool(broker, 'ProducerPerformance', ['--topic', topic, ...load, ...record]);
  return rateIn(said, /steady state records sent, ([\d.]+) records\/sec/);
}

/** Records a second while it fetches: joining its group does not count. */
export async function consumerPerformance(broker: Broker, topic: string, records: number): Promise<number> {
  const said = await tool(broker, 'ConsumerPerformance', ['--topic', topic, '--num-records', String(records)]);
  return rateIn(said, /, ([\d.]+)\s*$/);
}

const tool = async ({ settings }: Broker, name: string, args: readonly string[]): Promise<string> => {
  const { classPath } = await kafkaJars(() => undefined);
  const bootstrap = ['--bootstrap-server', settings.bootstrapServers.join(',')];
  const java = ['-Xmx512m', '-cp', classPath, `org.apache.kafka.tools.${name}`];
  return (await run('java', [...java, ...bootstrap, ...args])).stdout;
};

const rateIn = (said: string, pattern: RegExp): number => {
  const rate = Number(pattern.exec(said)?.[1]);
  if (Number.isNaN(rate)) throw new Error(`one of Kafka's tools said: ${said.trim().slice(-60)}`);
  return rate;
};
