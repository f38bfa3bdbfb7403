import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import { applyLogin } from '../../src/platform/migrations/logins.ts';
import { type MigrationTarget, migrate, migrationStatus } from '../../src/platform/migrations/migrate.ts';
import type { DatabaseAddress } from '../../src/platform/sql/connection.ts';

let root: string;
let schema: string;
let databases: string[];
beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'taskwire-migrations-'));
  schema = `shop_${randomUUID().slice(0, 8)}`;
  databases = [];
});
afterEach(async () => {
  for (const database of databases) await onServer(`drop database if exists ${database} with (force)`);
  await onServer(`drop role if exists ${schema}`);
  await rm(root, { recursive: true, force: true });
});

const query = async (address: DatabaseAddress, text: string) => {
  const client = new pg.Client({ ...address, options: `-c search_path=${schema}` });
  await client.connect();
  return client.query(text).finally(() => client.end());
};
const onServer = (text: string) => query({ ...inject('server'), database: 'postgres' }, text);
/** The name of a database that is not there yet. */
const freshAddress = (): DatabaseAddress => {
  const database = `migrated_${randomUUID().replaceAll('-', '')}`;
  databases.push(database);
  return { ...inject('server'), database };
};
const write = async (owner: string, files: Readonly<Record<string, string>>): Promise<string> => {
  const folder = path.join(root, owner, 'migrations');
  await mkdir(folder, { recursive: true });
  for (const [name, sql] of Object.entries(files)) await writeFile(path.join(folder, name), sql);
  return folder;
};
const target = (folders: readonly string[], address = freshAddress()): MigrationTarget => ({
  address,
  schema,
  folders,
});
const tables = async (address: DatabaseAddress) =>
  (await query(address, `select tablename from pg_tables where schemaname = '${schema}' order by 1`)).rows
    .map(({ tablename }) => tablename)
    .filter((name) => name !== 'schema_migration');

describe('each migration is applied once, in order', () => {
  test('folder by folder, by name, in a database made for it; the second time there is nothing to do', async () => {
    // Each needs the one before it.
    const kit = await write('kit', {
      '001_first.sql': 'create table a (id integer)',
      '002_b.sql': 'alter table a rename to b',
    });
    const shop = await write('shop', { '001_shop.sql': 'create table c as select * from b; insert into c values (1)' });
    const to = target([kit, shop]);
    expect(await migrate(to)).toEqual(['kit/001_first', 'kit/002_b', 'shop/001_shop']);
    expect(await tables(to.address)).toEqual(['b', 'c']);
    expect(await migrate(to)).toEqual([]);
    expect((await query(to.address, 'select * from c')).rows, 'it ran once').toHaveLength(1);
  });

  test('by four processes at once: one of them migrates, the others find nothing to do', async () => {
    const folder = await write('shop', {
      '001_a.sql': 'select pg_sleep(0.1); create table a (id integer)',
      '002_b.sql': 'create table b (id integer)',
    });
    const to = target([folder]);
    const applied = await Promise.all([1, 2, 3, 4].map(() => migrate(to)));
    expect(applied.flat().sort()).toEqual(['shop/001_a', 'shop/002_b']);
    expect(applied.filter((names) => names.length > 0)).toHaveLength(1);
  });

  test('while another database of the same server gets the same role at this moment', async () => {
    const folder = await write('shop', { '001_a.sql': 'create table a (id integer)' });
    const other = new pg.Client({ ...inject('server'), database: 'postgres' });
    await other.connect();
    await other.query(`begin; create role ${schema}`);
    const applied = migrate(target([folder]));
    const waits = `select from pg_stat_activity where wait_event_type = 'Lock' and query like '%create role ${schema}%'`;
    while ((await onServer(waits)).rows.length === 0);
    await other.query('commit');
    await other.end();
    expect(await applied).toEqual(['shop/001_a']);
  });

  test('the status tells what is applied and what is not', async () => {
    const folder = await write('shop', { '001_a.sql': 'create table a (id integer)' });
    const to = target([folder]);
    await migrate(to);
    await write('shop', { '002_b.sql': 'create table b (id integer)' });
    const status = await migrationStatus(to);
    expect(status).toEqual([
      { schema, name: 'shop/001_a', appliedAt: expect.stringMatching(/^20.*Z$/) },
      { schema, name: 'shop/002_b', appliedAt: null },
    ]);
    expect(await tables(to.address), 'and changes nothing').toEqual(['a']);
  });
});

test('the owner need not be a superuser: one that may make roles can act as them, and make logins for them', async () => {
  const folder = await write('shop', { '001_a.sql': 'create table a (id integer)' });
  const [owner, login] = [`${schema}_owner`, `${schema}_login`];
  const address = { ...freshAddress(), user: owner, password: 'of the owner' };
  await onServer(`create role ${owner} login createrole password '${address.password}'`);
  // Made by another owner already, as roles are all databases' of a server.
  await onServer(`grant event_reader to ${owner} with admin option`);
  await onServer(`create database ${address.database} owner ${owner}`);
  try {
    await migrate(target([folder], address));
    expect((await query(address, `set role ${schema}; select * from a`)) as object).toHaveLength(2);
    await applyLogin({ name: login, address, roles: [schema], password: 'of the login' });
    expect((await query({ ...address, user: login, password: 'of the login' }, 'select * from a')).rows).toEqual([]);
  } finally {
    await onServer(`drop database ${address.database} with (force)`);
    for (const role of [login, schema, owner]) await onServer(`drop role if exists ${role}`);
  }
});

describe('what cannot be applied as it was meant is refused, and named', () => {
  test('a file that was changed after it was applied; nothing new is applied then', async () => {
    const folder = await write('shop', { '001_a.sql': 'create table a (id integer)' });
    const to = target([folder]);
    await migrate(to);
    await write('shop', { '001_a.sql': 'create table a (id bigint)', '002_b.sql': 'create table b (id integer)' });
    await expect(migrate(to)).rejects.toThrow(`applied migrations were changed since (${schema}): shop/001_a;`);
    expect(await tables(to.address)).toEqual(['a']);
  });

  test('a file that fails in the middle is rolled back whole; those before it stay, and it can be mended', async () => {
    const folder = await write('shop', {
      '001_a.sql': 'create table a (id integer)',
      '002_b.sql': 'create table b (id integer); create table b (id integer)',
      '003_c.sql': 'create table c (id integer)',
    });
    const to = target([folder]);
    await expect(migrate(to)).rejects.toThrow(/^migration shop\/002_b of shop_\w+ failed: .*"b" already exists/);
    expect(await tables(to.address)).toEqual(['a']);
    expect((await migrationStatus(to)).map(({ appliedAt }) => appliedAt !== null)).toEqual([true, false, false]);
    await write('shop', { '002_b.sql': 'create table b (id integer)' });
    expect(await migrate(to)).toEqual(['shop/002_b', 'shop/003_c']);
  });

  test('a file whose name has no number would never be applied', async () => {
    const folder = await write('shop', {
      '001_a.sql': 'create table a (id integer)',
      '2_b.sql': 'create table b (id integer)',
    });
    await expect(migrate(target([folder]))).rejects.toThrow('2_b.sql');
  });

  test('a folder without any', async () => {
    const folder = await write('shop', {});
    await expect(migrate(target([folder]))).rejects.toThrow('no migrations in');
  });
});
