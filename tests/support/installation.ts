/** A process for each copy of each service, and gateways in front of them: real ones, on a database that is migrated. */

import { answering, type productBed, type Run, type Server } from '../e2e/support/product.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';
import { freePort } from './free-port.ts';
import { until } from './until.ts';

export type Copy = {
  readonly name: string;
  readonly server: () => Server;
  start(): Promise<void>;
  stop(): Promise<Exited>;
};
type Exited = Awaited<Run['exit']> & { readonly ms: number };
type Part = 'user' | 'task' | 'notification' | 'gateway';
type Counts = Readonly<Record<Part, number>>;

export const openInstallation = async (
  bed: ReturnType<typeof productBed>,
  counts: Counts,
  more: Readonly<Record<string, string>> = {},
) => {
  const database = await createTestDatabase();
  const ports = new Map<string, number>();
  for (const [part, count] of Object.entries(counts))
    for (let n = 1; n <= count; n += 1) ports.set(`${part}-${n}`, await freePort());
  const urls = (part: Part) =>
    [...ports].flatMap(([name, port]) => (name.startsWith(`${part}-`) ? [`http://127.0.0.1:${port}`] : []));
  const env = {
    ...databaseSettings(database),
    DATA_DIR: await bed.folder(),
    PUBLIC_URL: urls('gateway')[0] ?? 'http://localhost:8000',
    USER_SERVICE_URL: urls('user').join(),
    TASK_SERVICE_URL: urls('task').join(),
    NOTIFICATION_SERVICE_URL: urls('notification').join(),
    ...more,
  };
  const copies = [...ports].map(([name, port]) => copyOf(bed, name, { ...env, ...settingsOf(name, port) }));
  const of = (part: Part) => copies.filter(({ name }) => name.startsWith(`${part}-`));
  return {
    copies,
    of,
    urls,
    database,
    env,
    start: async () => {
      await Promise.all(copies.map((copy) => copy.start()));
      await Promise.all(urls('gateway').map(seesAll));
    },
    close: async () => {
      await bed.clear();
      await database.drop();
    },
  };
};

/** A gateway that was there first has yet to notice that the services are there too. */
const seesAll = (gateway: string): Promise<unknown> =>
  until(`${gateway} to see every copy`, async () => {
    const health = await fetch(`${gateway}/health`).catch(() => undefined);
    const { parts = {} }: { parts?: Record<string, { status: string }> } =
      (await health?.json().catch(() => undefined)) ?? {};
    const seen = Object.entries(parts).filter(([name]) => name.startsWith('gateway.'));
    return seen.length > 0 && seen.every(([, { status }]) => status === 'ok');
  });

export const databaseSettings = ({ address }: Pick<TestDatabase, 'address'>) => ({
  DB_HOST: address.host,
  DB_PORT: String(address.port),
  DB_NAME: address.database,
  DB_USER: address.user,
  DB_PASSWORD: address.password,
});

const settingsOf = (name: string, port: number): Readonly<Record<string, string>> => {
  const [part = ''] = name.split('-');
  return { [part === 'gateway' ? 'PORT' : `${part.toUpperCase()}_PORT`]: String(port), INSTANCE_ID: name };
};

const copyOf = (bed: ReturnType<typeof productBed>, name: string, env: Readonly<Record<string, string>>): Copy => {
  let server: Server | undefined;
  const running = (): Server => {
    if (server === undefined) throw new Error(`${name} was not started`);
    return server;
  };
  return {
    name,
    server: running,
    start: async () => {
      server = await answering(bed.taskwire(['start', name.split('-')[0] ?? ''], { env }));
    },
    stop: async () => {
      const began = performance.now();
      running().signal('SIGTERM');
      const exit = await running().exit;
      return { ...exit, ms: performance.now() - began };
    },
  };
};
