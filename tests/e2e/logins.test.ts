/** Each service under a login of its own: what it is refused, what it may, and the whole product on nothing else. */
import { writeFile } from 'node:fs/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { served } from '../support/served.ts';
import { until } from '../support/until.ts';
import { asking, newPerson } from './support/client.ts';
import { answering, productBed } from './support/product.ts';

const NAMES = ['user', 'task', 'notification'] as const;
type Name = (typeof NAMES)[number];
const loginOf = (name: Name) => `${name}_service_login`;
const passwordOf = (name: Name) => `the ${name} service's own`;

const bed = productBed();
const sessions = new Map<Name, pg.Client>();
let database: TestDatabase;
let env: Readonly<Record<string, string>>;
let file: string;

const roles = async (...args: readonly string[]) => {
  const run = bed.taskwire(['roles', ...args], { env });
  const { code } = await run.exit;
  return { code, said: run.output() };
};
const loggedIn = async (name: Name, password = passwordOf(name)): Promise<pg.Client> => {
  const client = new pg.Client({ ...database.address, user: loginOf(name), password });
  await client.connect();
  return client;
};
/** The SQLSTATE with which a statement is refused; undefined where it is not. Nothing of it stays. */
const refusal = async (name: Name, sql: string): Promise<string | undefined> => {
  const session = sessions.get(name);
  await session?.query('begin');
  try {
    await session?.query(sql);
    return undefined;
  } catch (error) {
    if (error instanceof pg.DatabaseError) return error.code;
    throw error;
  } finally {
    await session?.query('rollback');
  }
};
const DENIED = '42501';
/** Commands and services are processes of their own, which take their time on a busy machine. */

beforeAll(async () => {
  database = await createTestDatabase();
  const { host, port, database: name, user, password } = database.address;
  const owner = { DB_HOST: host, DB_PORT: String(port), DB_NAME: name, DB_USER: user, DB_PASSWORD: password };
  env = { ...owner, DATA_DIR: await bed.folder() };
  file = `${await bed.folder()}-passwords`;
  await writeFile(file, NAMES.map((name) => `${loginOf(name)}=${passwordOf(name)}\n`).join(''), { mode: 0o600 });
  // Twice is once, and what a login got beyond is taken away: it may have been another service's.
  for (const strays of ['', 'grant user_service to task_service_login']) {
    if (strays) await database.sql(strays);
    const applied = await roles('apply', '--passwords', file);
    expect(applied.said).toMatch(
      /^notification_service_login {2}\S+ {2}notification_service, keys, event_reader {2}set$/m,
    );
    expect(applied.code).toBe(0);
  }
  for (const name of NAMES) sessions.set(name, await loggedIn(name));
});
afterAll(async () => {
  await bed.clear();
  for (const session of sessions.values()) await session.end();
  await database.drop();
});

const WITHIN = [
  'update event set version = 9',
  'delete from event',
  'truncate event',
  'alter table event disable trigger all',
  'drop table event',
  'drop trigger event_unchanged on event',
  `insert into era (number, system_identifier, timeline) values (99, 1, 'x')`,
  `update schema_migration set checksum = 'x'`,
  'create table mine (id integer)',
];
const ELSEWHERE = [
  'update keys.subject_key set wrapped = null, destroyed_at = now()',
  'delete from keys.subject_key',
  'truncate keys.subject_key',
  'set role postgres',
  'set session_replication_role = replica',
  'create schema mine',
  'create role mine',
  'create table public.mine (id integer)',
  'alter role current_user createrole',
  'select * from pg_authid',
  `copy (select 1) to program 'true'`,
];
describe.each(NAMES)('the %s service', (name) => {
  const others = NAMES.filter((other) => other !== name);

  test.each(others)('has no part in %s_service', async (other) => {
    const attempts = [
      `select * from ${other}_service.event`,
      `select * from ${other}_service.schema_migration`,
      `insert into ${other}_service.reservation values ('email', 'a', 'b')`,
      `select ${other}_service.append(1, '[]', '[]', '[]', '[]', '[]')`,
      `select ${other}_service.current_era()`,
      `set role ${other}_service`,
      `set role ${other}_service_login`,
    ];
    for (const attempt of attempts) expect(await refusal(name, attempt), attempt).toBe(DENIED);
  });

  test.each(WITHIN)('cannot, in its own schema: %s', async (attempt) => {
    expect(await refusal(name, `set local search_path = ${name}_service; ${attempt}`)).toBe(DENIED);
  });

  test.each(ELSEWHERE)('cannot, elsewhere: %s', async (attempt) => expect(await refusal(name, attempt)).toBe(DENIED));

  test('may do what it needs', async () => {
    const needed = [
      'set local search_path = SCHEMA; select count(*) from event',
      'set local search_path = SCHEMA; select current_era()',
      `set local search_path = SCHEMA; insert into reservation values ('name', 'a', 'b')`,
      `set local search_path = SCHEMA; select append(1, '[]', '[]', '[]', '[]', '[]')`,
      'select count(*) from SCHEMA.schema_migration',
      `set local search_path = keys; select key_for('somebody', 'x')`,
      'set local role SCHEMA',
    ];
    for (const sql of needed)
      expect(await refusal(name, sql.replace('SCHEMA', `${name}_service`)), sql).toBeUndefined();
  });

  test('is nobody with another password', async () => {
    await expect(loggedIn(name, 'not the password')).rejects.toThrow(/password authentication failed/);
  });
});

test.each(NAMES)('what others publish, only who hears them reads: %s', async (name) => {
  const wanted = name === 'notification' ? undefined : DENIED;
  for (const other of NAMES.filter((one) => one !== name))
    expect(await refusal(name, `select * from ${other}_service.published(0, '0', 0, 10)`)).toBe(wanted);
});

test('what is printed holds no password, and does the same', async () => {
  const { said, code } = await roles('print', '--passwords', file);
  expect(code).toBe(0);
  for (const name of NAMES) expect(said).not.toContain(passwordOf(name));
  expect(said).toContain('SCRAM-SHA-256$4096:');
  await database.sql(`alter role ${loginOf('task')} password 'something else'`);
  await database.sql(said);
  const session = await loggedIn('task');
  await session.end();
});

test('where a broker carries what is published, nobody reads it in the database', async () => {
  const run = bed.taskwire(['roles', 'print'], { env: { ...env, KAFKA_BOOTSTRAP_SERVERS: '127.0.0.1:9' } });
  expect((await run.exit).code).toBe(0);
  expect(run.output()).toContain('grant notification_service, keys to notification_service_login;');
  expect(run.output()).not.toContain('event_reader');
});

test('a login that may do more than its service needs is refused, and so is a password for nobody', async () => {
  await database.sql(`alter role ${loginOf('user')} createdb`);
  try {
    const { said, code } = await roles('apply');
    expect(said).toContain('may do more on this server than a service needs');
    expect(code).toBe(1);
  } finally {
    await database.sql(`alter role ${loginOf('user')} nocreatedb`);
  }
  await writeFile(`${file}-wrong`, 'postgres=something long\n');
  expect(await roles('apply', '--passwords', `${file}-wrong`)).toMatchObject({ code: 2 });
});

test('the product runs on these logins, and nobody of it is the owner', async () => {
  const { DB_USER: _owner, DB_PASSWORD: _password, ...common } = env;
  const start = async (name: Name, more: Readonly<Record<string, string>> = {}) => {
    const own = {
      [`${name.toUpperCase()}_DB_USER`]: loginOf(name),
      [`${name.toUpperCase()}_DB_PASSWORD`]: passwordOf(name),
    };
    return answering(bed.taskwire(['start', name], { env: { ...common, ...own, ...more } }));
  };
  const user = await start('user');
  const others = { USER_SERVICE_URL: user.url };
  const [task, notification] = await Promise.all([start('task', others), start('notification', others)]);

  const ada = await newPerson(user.url);
  const made = await asking(task.url, ada.token)('POST', '/api/v1/tasks', { body: { title: 'With few rights' } });
  expect(made.status).toBe(201);
  const done = await asking(task.url, ada.token)('POST', `${made.headers.get('location')}/complete`);
  const token = { 'consistency-token': String(done.headers.get('consistency-token')) };
  const told = await served(() => asking(notification.url, ada.token)('GET', '/api/v1/inbox', { headers: token }));
  expect(told.body?.items).toMatchObject([{ about: { id: made.body?.id } }]);

  const connected = await database.sql<{ usename: string }>(
    `select distinct usename from pg_stat_activity where datname = current_database() and application_name like 'taskwire %'`,
  );
  expect(connected.map(({ usename }) => usename).toSorted()).toEqual(NAMES.map(loginOf).toSorted());
  for (const { url } of [user, task, notification])
    await until(`${url} to be well`, async () => (await asking(url)('GET', '/health')).body?.status === 'ok');
});
