/** A throw-away server from the machine's own PostgreSQL packages, on loopback. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, globSync, mkdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { query, type Server } from './postgres.ts';
import { freePort } from './service.ts';

const SETTINGS = { listen_addresses: '127.0.0.1', unix_socket_directories: '', max_connections: '200' };

export async function startSystemPostgres(folder: string): Promise<Server> {
  const bin = globSync('/usr/lib/postgresql/*/bin').sort().at(-1);
  if (bin === undefined) throw new Error('no PostgreSQL in /usr/lib/postgresql');
  const identity = process.getuid?.() === 0 ? { uid: idOf('-u'), gid: idOf('-g') } : {};
  mkdirSync(folder);
  if (identity.uid !== undefined) chownSync(folder, identity.uid, identity.gid);
  const options = { ...identity, cwd: folder, stdio: 'ignore' } as const;
  const initdb = [
    '-D',
    folder,
    '-U',
    'postgres',
    '--auth',
    'trust',
    '--encoding',
    'UTF8',
    '--locale',
    'C',
    '--no-sync',
  ];
  execFileSync(`${bin}/initdb`, initdb, options);

  const connection = { host: '127.0.0.1', port: await freePort(), user: 'postgres', password: 'unused' };
  const settings = Object.entries({ ...SETTINGS, port: connection.port });
  const args = ['-D', folder, ...settings.flatMap(([name, value]) => ['-c', `${name}=${value}`])];
  const server = spawn(`${bin}/postgres`, args, options);
  const kill = () => void server.kill('SIGQUIT');
  process.once('exit', kill);
  await answers(connection);
  return {
    connection,
    folder,
    async [Symbol.asyncDispose]() {
      process.off('exit', kill);
      const exited = once(server, 'exit');
      server.kill('SIGINT');
      await exited;
    },
  };
}

const idOf = (flag: string): number => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));

async function answers(connection: Server['connection'], patience = 10_000): Promise<void> {
  const end = performance.now() + patience;
  for (;;) {
    try {
      await query({ ...connection, database: 'postgres' }, 'select 1');
      return;
    } catch (error) {
      if (performance.now() > end) throw error;
      await sleep(20);
    }
  }
}
