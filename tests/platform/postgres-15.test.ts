/** The oldest server that we promise to run on, with the same suites as the newest. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import type { TestDatabase } from '../support/database.ts';
import { requirement } from '../support/requires.ts';
import { testBed } from './bed.ts';
import { migratePlatform } from './migrate-platform.ts';
import { commitsSuite } from './suites/commits.ts';
import { correlatedSuite } from './suites/correlated.ts';
import { feedSuite } from './suites/feed.ts';
import { publishedSuite } from './suites/published.ts';
import { rebuildSuite } from './suites/rebuild.ts';
import { versionsSuite } from './suites/versions.ts';

const INITDB = '/usr/lib/postgresql/15/bin/initdb';
const NOBODY = 65534;

/** A cluster for this file alone; PostgreSQL refuses to be root. */
const startServer = async (initdb: string): Promise<TestDatabase> => {
  const folder = await mkdtemp(path.join(tmpdir(), 'taskwire-pg15-'));
  const asSomebody = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  if (asSomebody.uid) await chown(folder, NOBODY, NOBODY);
  const data = path.join(folder, 'data');
  execFileSync(initdb, ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'], {
    ...asSomebody,
    stdio: 'ignore',
    cwd: folder,
  });
  const settings = ['listen_addresses=', `unix_socket_directories=${folder}`, 'fsync=off', 'max_connections=100'];
  const server = spawn(
    path.join(path.dirname(initdb), 'postgres'),
    ['-D', data, ...settings.flatMap((s) => ['-c', s])],
    {
      ...asSomebody,
      stdio: 'ignore',
      cwd: folder,
    },
  );
  const address = { host: folder, port: 5432, database: 'notes', user: 'postgres', password: '' };
  while (!(await answers({ ...address, database: 'postgres' }))) {
    if (server.exitCode !== null) throw new Error(`postgres ended with ${server.exitCode}`);
    await sleep(20);
  }
  await migratePlatform(address);
  const client = new pg.Client(address);
  await client.connect();
  return {
    address,
    sql: async (text, values) => (await client.query(text, values)).rows,
    drop: async () => {
      await client.end();
      server.kill('SIGINT');
      if (server.exitCode === null) await once(server, 'exit');
      await rm(folder, { recursive: true, force: true });
    },
  };
};

const answers = async (address: TestDatabase['address']): Promise<boolean> => {
  const client = new pg.Client(address);
  try {
    await client.connect();
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
};

requirement('PostgreSQL 15', 'apt-get install postgresql-15', () =>
  existsSync(INITDB) ? INITDB : undefined,
).describe('on PostgreSQL 15', (initdb) => {
  const bed = testBed(() => startServer(initdb));
  test('it is that server', async () => {
    const [{ version } = { version: '' }] = await bed.sql('select version()');
    expect(version).toMatch(/^PostgreSQL 15\./);
  });
  versionsSuite(bed);
  commitsSuite(bed);
  publishedSuite(bed);
  correlatedSuite(bed);
  feedSuite(bed);
  // On a server of its own: every stream there is has a row.
  describe('rebuilding', () => rebuildSuite(testBed(() => startServer(initdb))));
});
