/**
 * What kept counts gain, and what they cost. The same service, asked by the same client: as it is, and with a
 * Consistency-Token, which goes past the cache to the database (and costs a few µs to read). Once with the memory of the
 * process, once with Redis, which is told of each write.
 */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { createMemoryLimiter, createRedisLimiter, type Limiter } from '../src/platform/cache/limits.ts';
import { openRedisLink } from '../src/platform/cache/redis-link.ts';
import { createLogger } from '../src/platform/telemetry/logger.ts';
import { drive, type Load } from './load.ts';
import type { Options } from './options.ts';
import { createDatabase, type Server } from './postgres.ts';
import { cpuTime, sum, tree, workingIn } from './proc.ts';
import { type Figure, grouped, median, percentile, type Row } from './report.ts';
import { Series } from './series.ts';
import { freePort, startService } from './service.ts';
import { TARGETS } from './targets.ts';

const CONNECTIONS = 32;
const SIZES = [50, 1_000, 10_000] as const;
const TASKS = '/api/v1/tasks';
const NEW_TASK = JSON.stringify({ title: 'Review the quarterly figures with the team', priority: 'high' });

type Sample = Load & { readonly serviceCpu: number; readonly postgresCpu: number; readonly redisCpu: number };
type Place = { readonly port: number; readonly pids: () => { service: number; postgres: number; redis: number } };

export async function cacheRows(server: Server, folder: string, options: Options): Promise<Row[]> {
  await using running = new AsyncDisposableStack();
  const rows: Row[] = [];
  const redis = running.use(await startRedis());
  const places = {
    memory: await startPlace('memory', server, folder, running),
    Redis: await startPlace('redis', server, folder, running, redis),
  };
  for (const [name, place] of Object.entries(places)) {
    for (const size of SIZES) rows.push(...(await countRows(name, place, size, options)));
  }
  rows.push(await writeRow(places.Redis, places.memory, options));
  rows.push(await limitRow(redis, options));
  return rows;
}

const countRows = async (name: string, place: Place, size: number, options: Options): Promise<Row[]> => {
  const who = await personWith(place, size);
  const asked = [
    [`list 20 of ${grouped(size)} with their count`, `${TASKS}?limit=20&count=true`],
    ...(size === SIZES[0] ? [['count what is unread', '/api/v1/inbox/unread-count'] as const] : []),
  ] as const;
  const rows: Row[] = [];
  for (const [what, path] of asked) {
    options.progress(`${what}, ${name}`);
    const [kept, anew] = [new Series<Sample>(), new Series<Sample>()];
    for (let round = 0; round <= options.rounds; round += 1) {
      await kept.add(() => measure(place, options.seconds, () => get(place, who.token, path)));
      const past = `Consistency-Token: ${path.startsWith(TASKS) ? who.written : who.read}\r\n`;
      await anew.add(() => measure(place, options.seconds, () => get(place, who.token, path, past)));
    }
    rows.push({ what: `${what}, ${name} beside none`, ours: kept.cell(figure), peer: anew.cell(figure) });
  }
  return rows;
};

/** Each write drops what is kept of its owner: in Redis, a script and a second answer for each batch of commits. */
const writeRow = async (ours: Place, peer: Place, options: Options): Promise<Row> => {
  options.progress('create a task, Redis beside memory');
  const sides = [ours, peer].map((place) => ({ place, series: new Series<Sample>() }));
  const people = await Promise.all(sides.map(({ place }) => personWith(place, 1)));
  for (let round = 0; round <= options.rounds; round += 1) {
    for (const [n, { place, series }] of sides.entries()) {
      const next = () => post(place, people[n]?.token ?? '');
      await series.add(() => measure(place, options.seconds, next));
    }
  }
  const [redis, memory] = sides.map(({ series }) => series.cell(figure));
  if (redis === undefined || memory === undefined) throw new Error('a side was lost');
  return { what: 'create a task, Redis beside memory', ours: redis, peer: memory };
};

/** What each request pays for being counted, here in the bench's own process. */
const limitRow = async (redis: { readonly port: number; readonly pid: number }, options: Options): Promise<Row> => {
  const what = 'count a request against a limit, Redis beside memory';
  options.progress(what);
  const logger = createLogger('warn');
  const link = openRedisLink({ host: '127.0.0.1', port: redis.port }, (client) => client.ping(), logger);
  while (!link.isUp()) await sleep(10);
  const memory = createMemoryLimiter();
  const sides = [createRedisLimiter(link, memory), memory].map((limiter) => ({
    limiter,
    series: new Series<Sample>(),
  }));
  for (let round = 0; round <= options.rounds; round += 1) {
    for (const { limiter, series } of sides) await series.add(() => countFor(limiter, options.seconds, redis.pid));
  }
  await link.close();
  const [ours, peer] = sides.map(({ series }) => series.cell(figure));
  if (ours === undefined || peer === undefined) throw new Error('a side was lost');
  return { what, ours, peer };
};

const countFor = async (limiter: Limiter, seconds: number, redis: number): Promise<Sample> => {
  const limit = { name: 'bench', quota: 1_000_000, window: 60 };
  const latencies: number[] = [];
  const before = { service: cpuTime([process.pid]), redis: cpuTime([redis]) };
  const from = performance.now();
  const end = from + seconds * 1_000;
  const client = async (_: unknown, n: number): Promise<void> => {
    for (let asked = performance.now(); asked < end; asked = performance.now()) {
      await limiter.take([{ limit, key: `person ${n}` }]);
      latencies.push(performance.now() - asked);
      if (latencies.length % 1_000 === 0) await sleep(0); // memory alone would let nobody else have a turn
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, client));
  return {
    latencies,
    seconds: (performance.now() - from) / 1_000,
    postgresCpu: 0,
    serviceCpu: cpuTime([process.pid]) - before.service,
    redisCpu: cpuTime([redis]) - before.redis,
  };
};

const measure = async (place: Place, seconds: number, next: () => string): Promise<Sample> => {
  const before = place.pids();
  const load = await drive({ port: place.port, connections: CONNECTIONS, seconds, next });
  const after = place.pids();
  return {
    ...load,
    serviceCpu: after.service - before.service,
    postgresCpu: after.postgres - before.postgres,
    redisCpu: after.redis - before.redis,
  };
};

/** The first round was the warm-up. */
function figure([, ...samples]: readonly Sample[]): Figure {
  const latencies = samples.flatMap((sample) => sample.latencies);
  const cpu = (['serviceCpu', 'postgresCpu', 'redisCpu'] as const).map(
    (whose) => sum(samples.map((sample) => sample[whose])) / latencies.length,
  );
  const detail = { p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99) };
  const value = median(samples.map((sample) => sample.latencies.length / sample.seconds));
  const times = `p50 ${detail.p50.toFixed(1)} p99 ${detail.p99.toFixed(1)} ms`;
  return { value, text: `${grouped(value)}/s  ${times}  ${cpu.map(grouped).join('+')} µs`, detail };
}

const startPlace = async (
  name: string,
  server: Server,
  folder: string,
  running: AsyncDisposableStack,
  redis?: { readonly port: number; readonly pid: number },
): Promise<Place> => {
  const database = await createDatabase(server, `bench_cache_${name}`);
  const port = await freePort();
  const dataFolder = `${folder}/cache-${name}`;
  const command = TARGETS.ours.command(database, port, dataFolder);
  // What is kept in memory is kept of an embedded database, and of no other.
  const env = redis
    ? { ...command.env, REDIS_HOST: '127.0.0.1', REDIS_PORT: String(redis.port) }
    : Object.fromEntries(Object.entries(command.env).filter(([setting]) => !setting.startsWith('DB_')));
  const service = running.use(await startService(`taskwire-${name}`, { ...command, env }, port));
  const pids = () => {
    const postgres = workingIn(redis ? server.folder : dataFolder);
    return {
      service: cpuTime(tree(service.pid).filter((pid) => !postgres.includes(pid))),
      postgres: cpuTime(postgres),
      redis: redis ? cpuTime([redis.pid]) : 0,
    };
  };
  return { port, pids };
};

type Answered = { readonly accessToken?: string; readonly id?: string };
/** Somebody, and the tokens of their last writes: of each service its own, for which nobody there waits. */
type Person = { readonly token: string; readonly written: string; readonly read: string };
/** Who has so many tasks, and was told of one. */
const personWith = async (place: Place, tasks: number): Promise<Person> => {
  const api = `http://127.0.0.1:${place.port}/api/v1`;
  const send = async (path: string, body?: string, token = '', method = 'POST') => {
    const headers = {
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(token && { authorization: `Bearer ${token}` }),
    };
    const answer = await fetch(api + path, { method, headers, ...(body !== undefined && { body }) });
    if (!answer.ok) throw new Error(`${path} answered ${answer.status} ${await answer.text()}`);
    const written = answer.headers.get('consistency-token') ?? '';
    return { body: (await answer.json()) as Answered, written };
  };
  const username = `u${randomUUID().slice(0, 8)}`;
  const user = { email: `${username}@example.org`, password: 'correct horse battery staple' };
  await send('/auth/register', JSON.stringify({ ...user, username }));
  const token = (await send('/auth/login', JSON.stringify(user))).body.accessToken ?? '';
  let left = tasks - 1;
  const next = () => {
    left -= 1;
    return left >= 0 ? post(place, token) : undefined;
  };
  await drive({ port: place.port, connections: CONNECTIONS, seconds: 300, next });
  const { body } = await send('/tasks', NEW_TASK, token);
  const { written } = await send(`/tasks/${body.id}/complete`, undefined, token);
  const headers = { authorization: `Bearer ${token}`, 'consistency-token': written };
  const inbox = (await (await fetch(`${api}/inbox`, { headers })).json()) as { items: Answered[] };
  const { written: read } = await send(`/inbox/${inbox.items[0]?.id}`, '{"read":true}', token, 'PATCH');
  if (read === '') throw new Error('reading an entry answered no token');
  return { token, written, read };
};

const get = ({ port }: Place, token: string, path: string, more = ''): string =>
  `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer ${token}\r\n${more}\r\n`;
const post = ({ port }: Place, token: string): string =>
  `POST ${TASKS} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\n` +
  `Content-Length: ${Buffer.byteLength(NEW_TASK)}\r\n\r\n${NEW_TASK}`;

const startRedis = async () => {
  const port = await freePort();
  const child = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', ''], {
    stdio: 'ignore',
  });
  await once(child, 'spawn'); // rejects where there is none: apt-get install redis-server
  const kill = () => void child.kill('SIGKILL');
  process.once('exit', kill);
  const stop = async () => {
    const gone = once(child, 'exit');
    kill();
    await gone;
    process.off('exit', kill);
  };
  return { port, pid: child.pid ?? 0, [Symbol.asyncDispose]: stop };
};
