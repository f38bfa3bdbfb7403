/** pgbench's bare INSERT: what the server can do when nobody asks it for anything more. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { Writers } from './commit.ts';
import { type Database, query } from './postgres.ts';

const run = promisify(execFile);
const CANDIDATES = ['pgbench', ...[18, 17, 16, 15].map((version) => `/usr/lib/postgresql/${version}/bin/pgbench`)];
const TABLE = 'create table bare (position bigint generated always as identity primary key, data json not null)';

/** As large as an event with its metadata. */
const ROW = JSON.stringify({ text: 'x'.repeat(700) });

export async function bareInserts(database: Database, folder: string): Promise<Writers> {
  const pgbench = await find();
  await query(database, TABLE);
  const script = `${folder}/insert.sql`;
  await writeFile(script, `insert into bare (data) values ('${ROW}');\n`);

  const server = ['--host', database.host, '--port', String(database.port), '--username', database.user];
  const options = ['--no-vacuum', '--protocol', 'prepared', '--file', script];
  const env = { ...process.env, PGPASSWORD: database.password };
  return async (writers, seconds) => {
    const load = ['--client', String(writers), '--time', String(Math.ceil(seconds))];
    const { stdout } = await run(pgbench, [...server, ...options, ...load, database.database], { env });
    return Number(/^tps = ([\d.]+)/m.exec(stdout)?.[1]);
  };
}

async function find(): Promise<string> {
  for (const candidate of CANDIDATES) {
    try {
      await run(candidate, ['--version']);
      return candidate;
    } catch {
      // Not this one.
    }
  }
  throw new Error('no pgbench here (Debian: postgresql-contrib)');
}
