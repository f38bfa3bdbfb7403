/** A database that is away, hung or full costs 503 within five seconds, and nothing once it is back. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/platform/embedded/postgres.ts';
import { sqlOn, takeAllConnections } from '../support/sql.ts';
import { until } from '../support/until.ts';
import { type Answer, type Ask, newPerson, PASSWORD } from './support/client.ts';
import { postmasterOf, signalAll, withChildren } from './support/processes.ts';
import { productBed, type Server } from './support/product.ts';
import { type BreakableProxy, openProxy } from './support/proxy.ts';

const bed = productBed();
let dataDir: string;
let DATA_DIR: string;
let postgres: EmbeddedPostgres;
let proxy: BreakableProxy;
let server: Server;
let requests: Readonly<Record<string, () => Promise<Answer>>>;
let ask: Ask;

/** Twice the 20 that the product opens, as those that a network swallowed stand on the server's side; and its reserve. */
const MAX_CONNECTIONS = 45;
const startPostgres = () =>
  startEmbeddedPostgres({ dataDir, report: () => undefined, settings: { max_connections: String(MAX_CONNECTIONS) } });
const settings = (port: number) => ({
  DB_HOST: '127.0.0.1',
  DB_PORT: String(port),
  DB_USER: postgres.connection.user,
  DB_PASSWORD: postgres.connection.password,
});

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'taskwire-away-'));
  postgres = await startPostgres();
  proxy = await openProxy(`${postgres.connection.host}/.s.PGSQL.${postgres.connection.port}`);
  DATA_DIR = await bed.folder();
  server = await bed.start({ env: { DATA_DIR, ...settings(proxy.port) } });
  const person = await newPerson(server.url);
  ask = person.ask;
  requests = await everyKindOfRequest(person.email);
});
afterAll(async () => {
  await bed.clear();
  await proxy.close();
  await postgres.stop();
  await rm(dataDir, { recursive: true, force: true });
});

const everyKindOfRequest = async (email: string): Promise<typeof requests> => {
  const task = `/api/v1/tasks/${(await ask('POST', '/api/v1/tasks', { body: { title: 'Wait' } })).body?.id}`;
  const category = `/api/v1/categories/${(await ask('POST', '/api/v1/categories', { body: { name: 'Home' } })).body?.id}`;
  let serial = 0;
  const fresh = () => {
    serial += 1;
    return `a${process.pid}x${serial}`;
  };
  return {
    'who I am': () => ask('GET', '/api/v1/me'),
    'a task': () => ask('GET', task),
    'its history': () => ask('GET', `${task}/history`),
    'a list': () => ask('GET', '/api/v1/tasks'),
    'a search, counted': () => ask('GET', '/api/v1/tasks?q=wait&count=true'),
    'the trash': () => ask('GET', '/api/v1/tasks/trash'),
    'the categories': () => ask('GET', '/api/v1/categories'),
    'a category': () => ask('GET', category),
    'a creation': () => ask('POST', '/api/v1/tasks', { body: { title: fresh() } }),
    'a creation with a key': () =>
      ask('POST', '/api/v1/tasks', { body: { title: fresh() }, headers: { 'idempotency-key': fresh() } }),
    'a change': () => ask('PATCH', task, { body: { title: fresh() } }),
    'a change of a category': () => ask('PATCH', category, { body: { name: fresh() } }),
    'a change of oneself': () => ask('PATCH', '/api/v1/me', { body: { displayName: fresh() } }),
    'a registration': () => {
      const username = fresh();
      return ask('POST', '/api/v1/auth/register', {
        body: { email: `${username}@example.org`, username, password: PASSWORD },
      });
    },
    'a login': () => ask('POST', '/api/v1/auth/login', { body: { email, password: PASSWORD } }),
  };
};

const askAll = async (): Promise<readonly (Answer & { readonly what: string })[]> =>
  Promise.all(Object.entries(requests).map(async ([what, send]) => ({ what, ...(await send()) })));

/** A wave as it goes away finds connections that stand; the next one finds none. */
const refusesEverything = async (): Promise<void> => {
  for (const wave of ['first', 'second']) {
    for (const { what, status, headers, body, ms } of await askAll()) {
      const [type] = headers.get('content-type')?.split(';') ?? [];
      const told = { what, wave, status, type, retryAfter: headers.get('retry-after') };
      expect(told).toEqual({ what, wave, status: 503, type: 'application/problem+json', retryAfter: '1' });
      expect(['unavailable', 'busy', 'outcome-unknown']).toContain(body?.code);
      expect(ms, `${what}, ${wave} wave`).toBeLessThan(5_000);
    }
  }
  const [live, ready] = await Promise.all([ask('GET', '/health/live'), ask('GET', '/health/ready')]);
  expect([live.status, ready.status]).toEqual([200, 503]);
};

const servesEverything = async (): Promise<void> => {
  await until(
    'every kind of request to succeed, and it to be ready',
    async () =>
      (await askAll()).every(({ status }) => status < 300) && (await ask('GET', '/health/ready')).status === 200,
    10_000,
  );
  expect(server.running(), 'without a restart').toBe(true);
};

let taken: readonly pg.Client[] = [];
const outages = [
  {
    outage: 'hangs',
    away: async () => signalAll(await withChildren((await postmasterOf(dataDir)) ?? 0), 'SIGSTOP'),
    back: async () => signalAll(await withChildren((await postmasterOf(dataDir)) ?? 0), 'SIGCONT'),
  },
  {
    outage: 'is stopped',
    away: () => postgres.stop(),
    back: async () => {
      postgres = await startPostgres();
    },
  },
  { outage: 'is behind a network that swallows every byte', away: () => proxy.swallow(), back: () => proxy.pass() },
  {
    outage: 'gives no connection any more',
    away: async () => {
      taken = await takeAllConnections({ ...postgres.connection, database: 'postgres' });
    },
    back: () => Promise.all(taken.map((client) => client.end())),
  },
];

describe.each(outages)('a database that $outage', ({ away, back }) => {
  test('costs 503 within 5 s, and nothing within 10 s of its return', async () => {
    await servesEverything();
    await away();
    try {
      await refusesEverything();
    } finally {
      await back();
    }
    await servesEverything();
  });
});

test('what is under way when the database hangs is answered within 5 s too', async () => {
  await servesEverything();
  const answers: Answer[] = [];
  let stopping = false;
  const client = async (send: () => Promise<Answer>): Promise<void> => {
    while (!stopping) answers.push(await send());
  };
  const clients = [...Object.values(requests), ...Object.values(requests), ...Object.values(requests)].map(client);
  await until('the load to be on', () => answers.length > 100);
  const processes = await withChildren((await postmasterOf(dataDir)) ?? 0);
  signalAll(processes, 'SIGSTOP');
  const before = answers.length;
  try {
    await until('everybody to be answered twice', () => answers.length > before + 2 * clients.length);
  } finally {
    signalAll(processes, 'SIGCONT');
    stopping = true;
  }
  await Promise.all(clients);
  expect(answers.filter(({ status }) => status >= 300 && status !== 503)).toEqual([]);
  expect(answers.some(({ status }) => status === 503)).toBe(true);
  expect(Math.max(...answers.map(({ ms }) => ms))).toBeLessThan(5_000);
  await servesEverything();
});

test('connections that were cut cost nothing', async () => {
  await servesEverything();
  proxy.cut();
  // A connection has two seconds to come about: a machine that needs longer is told of, whatever was cut.
  for (const { what, status, ms } of await askAll())
    expect({ what, ok: status < 300 || (status === 503 && ms >= 2_000) }).toEqual({ what, ok: true });
});

test('a database that is killed costs nothing within 10 s of its return, and meanwhile nothing but 503 is answered', async () => {
  await servesEverything();
  signalAll([(await postmasterOf(dataDir)) ?? 0], 'SIGKILL');
  const others = (await askAll()).filter(({ status }) => status >= 300 && status !== 503);
  expect(others).toEqual([]);
  const sql = sqlOn(async () => ({ ...postgres.connection, database: 'postgres' }));
  await until('it to have recovered', () => sql('select 1').catch(() => undefined));
  await servesEverything();
});

test('a server that starts before its database waits, says so, and becomes ready by itself', async () => {
  await postgres.stop();
  const early = bed.taskwire(['start'], {
    env: { DATA_DIR: await bed.folder(), ...settings(proxy.port), DB_NAME: 'early' },
  });
  await early.said(/waiting for the database at 127\.0\.0\.1:\d+/);
  postgres = await startPostgres();
  await early.said(/ready at/);
  await servesEverything();
});

test('a stop in the middle of it ends within 10 s all the same', async () => {
  const other = await bed.start({ env: { DATA_DIR, ...settings(proxy.port) } });
  const person = await newPerson(other.url);
  // Connections that are accepted already: one that is not yet when the stop begins is refused.
  await Promise.all(Array.from({ length: 20 }, () => person.ask('GET', '/api/v1/tasks')));
  proxy.swallow();
  try {
    const waiting = Array.from({ length: 20 }, (_, n) =>
      person.ask(n % 2 ? 'GET' : 'POST', '/api/v1/tasks', n % 2 ? {} : { body: { title: `Too late ${n}` } }),
    );
    const answers = Promise.allSettled(waiting);
    await person.ask('GET', '/health/live'); // they were read by then
    const began = performance.now();
    other.signal('SIGTERM');
    expect(await other.exit).toEqual({ code: 0, signal: null });
    expect(performance.now() - began).toBeLessThan(10_000);
    for (const answer of await answers) expect(answer).toMatchObject({ status: 'fulfilled', value: { status: 503 } });
  } finally {
    proxy.pass();
  }
});
