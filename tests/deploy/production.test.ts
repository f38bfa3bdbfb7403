/** docker-compose.prod.yml without an engine: its environments are accepted, and its jobs and a service do run on them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { parseConfig } from '../../src/platform/config/config.ts';
import type { Role } from '../../src/platform/config/production.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/platform/embedded/postgres.ts';
import { until } from '../support/until.ts';

type Service = {
  readonly image?: string;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
};
const services: Readonly<Record<string, Service>> = parse(readFileSync('docker-compose.prod.yml', 'utf8'), {
  merge: true,
}).services;
const ours = Object.entries(services).filter(([, { image }]) => image?.includes('taskwire:'));
const service = (name: string): Service => {
  const [, found] = ours.find(([other]) => other === name) ?? [];
  if (found === undefined) throw new Error(`there is no ${name}`);
  return found;
};

const KEY = { ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }), kid: 'one' };
/** As good as any that are random, and the same in every run. */
const GOOD: Readonly<Record<string, string>> = {
  DB_PASSWORD: 'Kq3v-owner-Wz81mT',
  REDIS_PASSWORD: 'Hn7x-redis-Bt02pL',
  USER_DB_PASSWORD: 'Vd5c-user-Rj94sY',
  TASK_DB_PASSWORD: 'Gp6b-task-Xk37wQ',
  NOTIFICATION_DB_PASSWORD: 'Mf2h-notes-Zc58nU',
  MASTER_KEY: 'tR9wYx2LkQv7HsJd4NcZb8PmFg5Ka3Ue',
  PASSWORD_PEPPER: 'eC6yTn1BvXq8LzWk5RjMh2SdGp9Uf4Ao',
  JWT_PRIVATE_KEYS: JSON.stringify({ keys: [KEY] }),
  PUBLIC_URL: 'https://tasks.example.org',
  SMTP_URL: 'smtps://mail.example.org',
};
/** As Compose fills in what is asked for: `${A:?why}`, `${A:-default}`, and `$$` for a dollar. */
const filled = (text: string): string =>
  text
    .replaceAll(/(?<!\$)\$\{(\w+):(.)([^}]*)\}/g, (_all, name: string, kind: string, rest: string) => {
      const value = GOOD[name] ?? (kind === '-' ? rest : undefined);
      if (value === undefined) throw new Error(`${name} is asked for, and not given here`);
      return value;
    })
    .replaceAll('$$', '$');
const environmentOf = ({ environment }: Service): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, filled(value)]));

test.each(ours.map(([name]) => name))('%s is told nothing that production refuses', (name) => {
  const { command } = service(name);
  // What a job reads of it: topics need no secret.
  const role = (command[0] === 'start' ? command[1] : command[0] === 'topics' ? 'gateway' : 'all') as Role;
  expect(parseConfig(environmentOf(service(name)), role)).toMatchObject({ production: true });
});
test.each(['user', 'task', 'notification', 'gateway', 'topics'])('%s is told no secret of others', (name) => {
  const told = Object.keys(service(name).environment).filter((setting) => setting in OF);
  expect(told.filter((setting) => !OF[setting]?.includes(name))).toEqual([]);
});
/** Secrets that not everybody is told. */
const OF: Readonly<Record<string, readonly string[]>> = {
  DB_PASSWORD: [],
  USER_DB_PASSWORD: ['user'],
  TASK_DB_PASSWORD: ['task'],
  NOTIFICATION_DB_PASSWORD: ['notification'],
  JWT_PRIVATE_KEYS: ['user'],
  PASSWORD_PEPPER: ['user'],
  MASTER_KEY: ['user', 'task', 'notification'],
  SMTP_URL: ['notification'],
};

describe('on a database that nobody prepared', () => {
  let folder: string;
  /** Of its own: roles are those of all databases of a server. */
  let server: EmbeddedPostgres | undefined;
  const running = new Set<ChildProcess>();
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'taskwire-production-'));
    const dataDir = path.join(folder, 'server');
    server = await startEmbeddedPostgres({ dataDir, report: () => undefined, settings: { fsync: 'off' } });
  });
  afterAll(async () => {
    for (const child of running) child.kill('SIGKILL');
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
  });
  /** Its very command, with the addresses of this machine in place of those of the containers. */
  const run = (name: string) => {
    const { host = '', port, password = '' } = server?.connection ?? {};
    const { entrypoint, command } = service(name);
    const [program = '', ...args] = [...entrypoint, ...command].map(filled);
    const given = environmentOf(service(name));
    const here = {
      DB_HOST: host,
      DB_PORT: String(port),
      KAFKA_BOOTSTRAP_SERVERS: '',
      REDIS_HOST: '',
      PATH: `${path.dirname(process.execPath)}:${process.env.PATH}`,
      HOST: '127.0.0.1',
      USER_PORT: '0',
      ...(given.DB_PASSWORD !== undefined && { DB_PASSWORD: password }),
    };
    const child = spawn(program, args, { env: { ...given, ...here }, stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(child);
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
    const end = once(child, 'close').then(([code]) => ({ code, said }));
    return { end, said: () => said, stop: () => child.kill('SIGTERM') };
  };

  test('the jobs migrate and give each service its login, and a service serves as that', async () => {
    for (const job of ['migrate', 'roles', 'roles']) expect(await run(job).end, job).toMatchObject({ code: 0 });
    const user = run('user');
    await until('it to be ready', () => user.said().includes('"msg":"ready"'), 60_000);
    const { host = '', port = 0, user: owner = '', password = '' } = server?.connection ?? {};
    const client = new pg.Client({ host, port, user: owner, password, database: 'taskwire' });
    await client.connect();
    const [, url = ''] = /"url":"(http[^"]+)","msg":"ready"/.exec(user.said()) ?? [];
    // It connects when somebody asks, and lets go of what it does not need.
    const rows = await until('it to be connected', async () => {
      const [, { rows }] = await Promise.all([
        fetch(`${url}/health`),
        client.query(
          `select distinct usename from pg_stat_activity
           where datname = 'taskwire' and backend_type = 'client backend' and pid <> pg_backend_pid()`,
        ),
      ]);
      return rows.length > 0 ? rows : undefined;
    });
    await client.end();
    expect(rows).toEqual([{ usename: 'user_service_login' }]);
    expect(user.said()).toContain(`"instance":"${hostname()}"`);
    user.stop();
    expect(await user.end).toMatchObject({ code: 0 });
    for (const secret of Object.values(GOOD)) expect(user.said()).not.toContain(secret);
  });
});
