/** The oldest server that we promise to run on, where the system has it: a cluster of its own for whoever asks. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { DatabaseAddress } from '../../src/platform/sql/connection.ts';
import { requirement } from './requires.ts';

const BIN = '/usr/lib/postgresql/15/bin';
const NOBODY = 65534;

/** Its folder of programs. */
export const postgres15 = requirement('PostgreSQL 15', 'apt-get install postgresql-15', () =>
  existsSync(path.join(BIN, 'initdb')) ? BIN : undefined,
);

export type Postgres15 = {
  readonly address: Omit<DatabaseAddress, 'database'>;
  stop(): Promise<void>;
};

/** PostgreSQL refuses to be root. */
export const startPostgres15 = async (bin: string): Promise<Postgres15> => {
  const folder = await mkdtemp(path.join(tmpdir(), 'taskwire-pg15-'));
  const asSomebody = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  if (asSomebody.uid) await chown(folder, NOBODY, NOBODY);
  const data = path.join(folder, 'data');
  const options = ['-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'];
  execFileSync(path.join(bin, 'initdb'), ['-D', data, ...options], { ...asSomebody, stdio: 'ignore', cwd: folder });
  const settings = ['listen_addresses=', `unix_socket_directories=${folder}`, 'fsync=off', 'max_connections=100'];
  const server = spawn(path.join(bin, 'postgres'), ['-D', data, ...settings.flatMap((one) => ['-c', one])], {
    ...asSomebody,
    stdio: 'ignore',
    cwd: folder,
  });
  const address = { host: folder, port: 5432, user: 'postgres', password: '' };
  while (!(await answers(address))) {
    if (server.exitCode !== null) throw new Error(`postgres ended with ${server.exitCode}`);
    await sleep(20);
  }
  return {
    address,
    stop: async () => {
      server.kill('SIGINT');
      if (server.exitCode === null) await once(server, 'exit');
      await rm(folder, { recursive: true, force: true });
    },
  };
};

const answers = async (address: Postgres15['address']): Promise<boolean> => {
  const client = new pg.Client({ ...address, database: 'postgres' });
  try {
    await client.connect();
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
};
