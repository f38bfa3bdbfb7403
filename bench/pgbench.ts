/** pgbench's bare INSERT: what the server can do when nobody asks it for anything more. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { type Database, query } from './postgres.ts';

const run = promisify(execFile);
const CANDIDATES = ['pgbench', ...[18, 17, 16, 15].map((version) => `/usr/lib/postgresql/${version}/bin/pgbench`)];

export async function findPgbench(): Promise<string> {
  for (const candidate of CANDIDATES) {
    const works = await run(candidate, ['--version']).then(
      () => true,
      () => false,
    );
    if (works) return candidate;
  }
  throw new Error('no pgbench here (Debian: postgresql-contrib)');
}

/** Creates the table and answers a function that inserts rows of `bytes` bytes with so many writers: rows a second. */
export async function bareInserts(pgbench: string, database: Database, folder: string, bytes: number) {
  await query(
    database,
    'create table bare (position bigint generated always as identity primary key, data json not null)',
  );
  const script = `${folder}/bare-insert.sql`;
  await writeFile(script, `insert into bare (data) values ('{"text":"${'x'.repeat(bytes - 11)}"}');\n`);
  return async (writers: number, seconds: number): Promise<number> => {
    const { host, port, user, password } = database;
    const server = ['--host', host, '--port', String(port), '--username', user];
    const load = ['--client', String(writers), '--jobs', '1', '--time', String(Math.ceil(seconds))];
    const how = ['--no-vacuum', '--protocol', 'prepared', '--file', script];
    const { stdout } = await run(pgbench, [...server, ...load, ...how, database.database], {
      env: { ...process.env, PGPASSWORD: password },
    });
    return Number(/^tps = ([\d.]+)/m.exec(stdout)?.[1]);
  };
}
