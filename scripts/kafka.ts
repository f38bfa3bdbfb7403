/** npm run kafka: brokers for development on this machine, without a container. Ctrl-C stops them; their data stays. */
import { once } from 'node:events';
import path from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { startCluster } from './kafka/cluster.ts';
import { kafkaJars } from './kafka/install.ts';
import { requireJava } from './kafka/java.ts';

const portOf = (text: string): number => {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_000) throw new InvalidArgumentError('a port is 1–65000');
  return port;
};
const program = new Command('npm run kafka --')
  .description('run Apache Kafka here, for development: one broker, or three with three replicas of everything')
  .addOption(new Option('--nodes <count>', 'how many brokers').choices(['1', '3']).default('1'))
  .option('--port <port>', 'of the first broker; the others have those behind it', portOf, 9092)
  .option('--dir <folder>', 'where their data lies, and stays', './data/kafka')
  .option('--fetch', 'only bring the broker, and start nothing')
  .addHelpText(
    'after',
    '\nThen:\n  KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:9092 npx taskwire topics apply\n  KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:9092 npm start\n\nNeeds Java 17; Maven once, to fetch the broker into ~/.cache/taskwire.',
  )
  .parse();
const { nodes, port, dir, fetch } = program.opts<{ nodes: '1' | '3'; port: number; dir: string; fetch?: true }>();
const count = nodes === '3' ? 3 : 1;
const tell = (line: string): void => void process.stderr.write(`kafka: ${line}\n`);

try {
  if (fetch) {
    await requireJava();
    await kafkaJars(tell);
    process.exit(0);
  }
  // Clients’ ports lie side by side; those among the nodes 100 further.
  const ports = Array.from({ length: count }, (_, n) => [port + n, port + 100 + n]).flat();
  const folder = path.resolve(dir, `${count}-nodes`);
  tell(`starting ${count === 1 ? 'one broker' : 'three brokers'} on ${folder} …`);
  // Listens before it says that it is ready: whoever reads that may ask for the end at once. Brokers that are still
  // starting end with this process.
  const asked = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  const cluster = await Promise.race([
    startCluster({ folder, count, ports, report: tell }),
    asked.then(() => undefined),
  ]);
  if (cluster === undefined) process.exit(0);
  tell(`ready: KAFKA_BOOTSTRAP_SERVERS=${cluster.bootstrap}`);
  const forEver = setInterval(() => undefined, 60_000);
  await asked;
  clearInterval(forEver);
  // A second Ctrl-C changes nothing: a broker that is killed has its log to mend at the next start.
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => undefined);
  tell('stopping …');
  await cluster.stop();
  process.exit(0);
} catch (error) {
  tell(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
