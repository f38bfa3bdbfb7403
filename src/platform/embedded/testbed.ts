/** What the tests of this folder share: a folder of their own, and processes that own a database. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterEach, beforeEach } from 'vitest';
import { type EmbeddedPostgres, startEmbeddedPostgres } from './postgres.ts';

/** A fresh folder for each test of a file; what was started in it has ended before the next. */
export const testbed = () => {
  let root = '';
  const lines: string[] = [];
  const running: EmbeddedPostgres[] = [];

  /** The main processes that work in a cluster below the folder. */
  const postmasters = async (): Promise<readonly number[]> => {
    const found: number[] = [];
    for (const pid of (await readdir('/proc')).map(Number).filter((name) => name > 0)) {
      const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => '');
      const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      if (cwd.startsWith(root) && command.includes('\0-D\0')) found.push(pid);
    }
    return found;
  };

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'taskwire-test-'));
    lines.length = 0;
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((server) => server.stop()));
    await until(async () => (await postmasters()).length === 0);
    await rm(root, { recursive: true, force: true });
  });
  return {
    /** A path in the folder. */
    path: (...names: readonly string[]): string => join(root, ...names),
    /** What was reported, in this test. */
    lines,
    postmasters,
    start: async (folder: string, settings = {}): Promise<EmbeddedPostgres> => {
      const report = (line: string) => void lines.push(line);
      const server = await startEmbeddedPostgres({ dataDir: join(root, folder), report, settings });
      running.push(server);
      return server;
    },
  };
};

type Connection = EmbeddedPostgres['connection'];
/** The rows that one text of SQL answers, on a connection of its own. Rejects where there is no server. */
export const query = async (connection: Connection, text: string): Promise<readonly Record<string, unknown>[]> => {
  const client = new pg.Client({ ...connection, database: 'postgres' });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
};

/** Looks every 20 ms until it holds. Rejects after a minute. */
export const until = async (holds: () => Promise<boolean>): Promise<void> => {
  const deadline = performance.now() + 60_000;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`waited in vain for: ${holds}`);
    await sleep(20);
  }
};

/** A process of its own that runs the database in `dataDir`, and the line it prints when that answers. */
export const owner = async (
  dataDir: string,
  options: { uid?: number; node?: string; module?: string; PATH?: string } = {},
) => {
  const {
    uid,
    node = process.execPath,
    module = join(import.meta.dirname, 'postgres.ts'),
    PATH = '/usr/bin:/bin',
  } = options;
  const code = `
    import { startEmbeddedPostgres } from ${JSON.stringify(module)};
    import { acquireInstanceLock } from ${JSON.stringify(join(dirname(module), 'instance-lock.ts'))};
    await acquireInstanceLock(${JSON.stringify(dataDir)});
    const { connection } = await startEmbeddedPostgres({ dataDir: ${JSON.stringify(dataDir)}, report: console.error });
    console.log(JSON.stringify(connection));`;
  const child = spawn(node, ['--input-type=module-typescript', '--eval', code], {
    ...(uid !== undefined && { uid, gid: uid }),
    cwd: dirname(module),
    env: { PATH },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const complaint = child.stderr.toArray();
  const [line]: string[] = await Promise.race([
    once(createInterface(child.stdout), 'line'),
    once(child, 'exit').then(() => []),
  ]);
  if (!line) throw new Error(`the owner ended: ${Buffer.concat(await complaint)}`);
  const connection: Connection = JSON.parse(line);
  return {
    connection,
    kill: async (signal: NodeJS.Signals) => {
      child.kill(signal);
      await once(child, 'exit');
    },
  };
};
