/**
 * The product as people run it where one machine is not enough: a process for each service and a gateway in front, on a
 * PostgreSQL server and Kafka brokers of their own. A server, to a scenario, is all four: what ends one of them unasked
 * takes the others with it, as a power cut would, and what is sent to it is sent to each.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import path from 'node:path';
import type { Cluster } from '../../../scripts/kafka/cluster.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../../src/platform/embedded/postgres.ts';
import { postmasterOf } from '../../e2e/support/processes.ts';
import { productBed, type Run, type Server } from '../../e2e/support/product.ts';
import { freePort } from '../../support/free-port.ts';
import { startKafka } from '../../support/kafka.ts';
import { sqlOn } from '../../support/sql.ts';
import { until } from '../../support/until.ts';
import type { DistributedInstallation, DistributedWorld, Installation, Part, StartOptions } from './world.ts';

const SERVICES = ['user', 'task', 'notification'] as const;

export const distributedWorld = (): DistributedWorld => {
  const bed = productBed();
  const stops: (() => Promise<unknown>)[] = [];
  let spare: Database | undefined;

  const openServer = async (folder: string): Promise<Database> => {
    const open = () => startEmbeddedPostgres({ dataDir: folder, report: () => undefined });
    let server = await open();
    stops.push(() => server.stop());
    return {
      connection: server.connection,
      stop: () => server.stop(),
      begin: async () => {
        server = await open();
      },
    };
  };
  const clear = async (): Promise<void> => {
    await bed.end();
    await Promise.all(stops.splice(0).map((stop) => stop()));
    spare = undefined;
    await bed.clear();
  };
  return {
    topology: 'distributed',
    install: async (env = {}, { brokers = 1, isBare = false } = {}) => {
      const folder = await bed.folder();
      const [database, cluster] = await Promise.all([openServer(path.join(folder, 'database')), startKafka(brokers)]);
      stops.push(() => cluster.stop());
      const installation = await installationOn(
        bed,
        { folder, database, cluster },
        { KAFKA_TOPIC_REPLICAS: String(brokers), ...env },
      );
      if (!isBare) await furnish(installation);
      return installation;
    },
    program: bed.program,
    emptyDatabase: async () => {
      spare ??= await openServer(await bed.folder());
      const { connection } = spare;
      const database = `empty_${randomUUID().replaceAll('-', '')}`;
      await sqlOn(async () => ({ ...connection, database: 'postgres' }))(`create database ${database}`);
      const address = { ...connection, database };
      return { address, sql: sqlOn(async () => address) };
    },
    clear,
    close: clear,
  };
};

type Database = DistributedInstallation['database'] & Pick<EmbeddedPostgres, 'connection'>;
type Infrastructure = { readonly folder: string; readonly database: Database; readonly cluster: Cluster };

const installationOn = async (
  bed: ReturnType<typeof productBed>,
  { folder, database, cluster }: Infrastructure,
  common: Readonly<Record<string, string>>,
): Promise<DistributedInstallation> => {
  const { host, port, user, password } = database.connection;
  const address = { ...database.connection, database: 'taskwire' };
  const secret = () => randomBytes(32).toString('base64url');
  const env = {
    DB_HOST: host,
    DB_PORT: String(port),
    DB_USER: user,
    DB_PASSWORD: String(password),
    DATA_DIR: path.join(folder, 'data'),
    MASTER_KEY: secret(),
    PASSWORD_PEPPER: secret(),
    KAFKA_BOOTSTRAP_SERVERS: cluster.bootstrap,
    KAFKA_TOPIC_PARTITIONS: '4',
    ...common,
  };
  const taskwire: Installation['taskwire'] = (args, options) =>
    bed.taskwire(args, { ...options, env: { ...env, ...options?.env } });
  let copies = 0;
  /** A process of each kind, at addresses that stay theirs over restarts. */
  const copy = async () => {
    copies += 1;
    const [gateway = 0, ...ports] = await Promise.all(Array.from({ length: SERVICES.length + 1 }, freePort));
    const settings = Object.fromEntries(
      SERVICES.flatMap((service, n) => [
        [`${service.toUpperCase()}_PORT`, String(ports[n])],
        [`${service.toUpperCase()}_SERVICE_URL`, `http://127.0.0.1:${ports[n]}`],
      ]),
    );
    const named = {
      ...settings,
      PORT: String(gateway),
      PUBLIC_URL: 'http://localhost:8000',
      INSTANCE_ID: `copy-${copies}`,
    };
    const startPart = (part: Part, { failPoint, env: more = {} }: StartOptions = {}): Run =>
      bed.taskwire(['start', part], {
        env: { ...env, ...named, ...(failPoint && part !== 'gateway' && { FAIL_POINT: failPoint }), ...more },
      });
    return { url: `http://127.0.0.1:${gateway}`, startPart };
  };
  const first = await copy();
  const start = async (
    { url, startPart }: Awaited<ReturnType<typeof copy>>,
    options?: StartOptions,
  ): Promise<Server> => {
    const runs = [...SERVICES, 'gateway' as const].map((part) => startPart(part, options));
    const all = asOne(url, runs);
    const isUp = Promise.all(runs.map((run) => run.said(/is ready at http/))).then(() => true);
    // One that comes by its fail point as it starts has not failed to start.
    const isOver = options?.failPoint === undefined ? [] : [all.exit.then(() => false)];
    if (!(await Promise.race([isUp.catch((error) => (isOver.length > 0 ? false : Promise.reject(error))), ...isOver])))
      return all;
    await until('the gateway to see them', async () => !all.running() || (await seesAll(url)), 60_000);
    return all;
  };
  return {
    start: (options) => start(first, options),
    join: async (options) => start(await copy(), options),
    startPart: async (part, options) => first.startPart(part, options),
    url: first.url,
    taskwire,
    sql: sqlOn(async () => address),
    address: async () => address,
    postmaster: () => until('a database', () => postmasterOf(path.join(folder, 'database'))),
    cluster,
    database,
  };
};

/** Brings schemas and topics. */
const furnish = async ({ taskwire }: Installation): Promise<void> => {
  const carriedOut = async (...args: readonly string[]): Promise<void> => {
    const run = taskwire(args);
    if ((await run.exit).code !== 0) throw new Error(`taskwire ${args.join(' ')}:\n${run.output()}`);
  };
  await Promise.all([carriedOut('migrate'), carriedOut('topics', 'apply')]);
};

/** Whether a gateway would send requests to each service: it looks for those that were away every now and then. */
const seesAll = async (url: string): Promise<boolean> => {
  const response = await fetch(`${url}/health`).catch(() => undefined);
  const health = (await response?.json().catch(() => undefined)) as Health | undefined;
  return SERVICES.every((service) => health?.parts[`gateway.${service}`]?.status === 'ok');
};
type Health = { readonly parts: Readonly<Record<string, { readonly status: string } | undefined>> };

/** Several processes as one: it runs while all of them do, and ends with the first that ends. */
const asOne = (url: string, runs: readonly Run[]): Server => {
  const [front] = runs;
  if (front === undefined) throw new Error('nothing was started');
  const signal = (name: NodeJS.Signals) => {
    for (const run of runs) if (run.running()) run.signal(name);
  };
  const first = Promise.race(runs.map(({ exit }) => exit));
  const exit = first.then(async (ended) => {
    signal('SIGKILL');
    await Promise.all(runs.map((run) => run.exit));
    return ended;
  });
  return {
    url,
    exit,
    signal,
    pid: front.pid,
    output: () => runs.map((run) => run.output()).join('\n'),
    running: () => runs.every((run) => run.running()),
    said: (pattern) => Promise.any(runs.map((run) => run.said(pattern))),
  };
};
