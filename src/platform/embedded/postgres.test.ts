import { chmod, cp, mkdir, readdir, readFile, readlink, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { findBinaries, linkLibraries } from './binaries.ts';
import { owner, query, testbed, until } from './testbed.ts';

const { path, lines, postmasters, start } = testbed();

describe('the embedded database', () => {
  test('is created at the first start and found again at the next, with its data and its settings', async () => {
    const first = await start('data', { work_mem: '5MB' });
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
    await expect(query(first.connection, 'select')).rejects.toThrow(/ENOENT|ECONNREFUSED/);

    lines.length = 0;
    await chmod(path('data', 'postgres'), 0o755);
    const second = await start('data');
    expect(second.created).toBe(false);
    expect(second.connection).toEqual(first.connection);
    expect(await query(second.connection, 'select n from kept')).toEqual([{ n: 42 }]);
    expect(lines).toEqual([]);
  });

  test('lets nobody in without the password, and keeps that to its user', async () => {
    const { connection } = await start('data');
    await expect(query({ ...connection, password: 'guessed' }, 'select')).rejects.toMatchObject({ code: '28P01' });
    expect((await stat(path('data', 'postgres-password'))).mode & 0o777).toBe(0o600);
    expect((await stat(path('data'))).mode & 0o777).toBe(0o700);
    expect((await stat(connection.host)).mode & 0o777).toBe(0o700);
  });

  test('loses no acknowledged row and leaves no orphan when its owner is killed, and starts again at once', async () => {
    for (const round of [1, 2, 3]) {
      const { connection, kill } = await owner(path('data'));
      await query(connection, `create table if not exists kept (n int); insert into kept values (${round})`);
      await kill('SIGKILL');
      if (round === 2) await until(async () => (await postmasters()).length === 0);
    }
    const { connection } = await start('data');
    expect(await query(connection, 'select n from kept order by n')).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
    expect(await postmasters()).toHaveLength(1);
  });

  test('comes back by itself, at the same place, after its main process was killed', async () => {
    const { connection } = await start('data');
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
    const server = await start('data');
    const [postmaster = 0] = await postmasters();
    process.kill(postmaster, 'SIGKILL');
    await until(async () => lines.length > 0);
    await server.stop();
    expect(await postmasters()).toEqual([]);
  });

  test('ends a server whose supervisor was killed as well, and takes its place', async () => {
    const { kill } = await owner(path('data'));
    const [postmaster = 0] = await postmasters();
    const supervisor = Number((await readFile(`/proc/${postmaster}/stat`, 'utf8')).split(') ')[1]?.split(' ')[1]);
    const children = await readFile(`/proc/${supervisor}/task/${supervisor}/children`, 'utf8');
    const shells = [supervisor, ...children.trim().split(' ').map(Number)].filter((pid) => pid !== postmaster);
    expect(shells).toHaveLength(2);
    for (const shell of shells) process.kill(shell, 'SIGSTOP');
    await kill('SIGKILL');
    for (const shell of shells) process.kill(shell, 'SIGKILL');
    expect(await postmasters()).toEqual([postmaster]);
    await start('data');
    expect(lines).toEqual(['the database of the previous run is still stopping, waiting for it …']);
    expect(await postmasters()).toHaveLength(1);
    expect(await postmasters()).not.toContain(postmaster);
  });

  test('starts although postmaster.pid was emptied, or names a process that is no server', async () => {
    for (const content of ['', `${process.pid}\n`]) {
      await (await start('data')).stop();
      await writeFile(path('data', 'postgres', 'postmaster.pid'), content);
    }
    await start('data');
  });

  test('makes a half-made cluster anew', async () => {
    await mkdir(path('data', 'postgres.new-dead', 'base'), { recursive: true });
    expect((await start('data')).created).toBe(true);
    expect(await readdir(path('data'))).not.toContain('postgres.new-dead');
  });

  test('works in a folder whose path is too long for a socket, with signs that need quoting', async () => {
    const { connection, stop } = await start(`it's "quoted", ${'deep/'.repeat(25)}data`);
    expect(await query(connection, 'select 1 as n')).toEqual([{ n: 1 }]);
    expect(connection.host).toMatch(/taskwire-[0-9a-f]{16}$/);
    await stop();
    await expect(stat(connection.host)).rejects.toThrow('ENOENT');
  });

  test('makes the links of its libraries, also when others make them at the same time', async () => {
    const { postgres } = await findBinaries();
    const source = join(dirname(postgres), '..');
    const native = path('native');
    await mkdir(join(native, 'lib'), { recursive: true });
    await cp(join(source, 'pg-symlinks.json'), join(native, 'pg-symlinks.json'));
    await Promise.all([linkLibraries(native), linkLibraries(native), linkLibraries(native)]);
    expect(await readlink(join(native, 'lib', 'libicuuc.so.60'))).toBe('libicuuc.so.60.2');
    expect(await readdir(join(native, 'lib'))).toHaveLength(14);
  });
});
