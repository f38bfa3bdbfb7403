import { mkdir, rm, writeFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { startFault } from './errors.ts';
import { testbed } from './testbed.ts';

const { path, postmasters, start } = testbed();

describe('a start that cannot succeed says what to do', () => {
  test('data of another version', async () => {
    await mkdir(path('data', 'postgres'), { recursive: true });
    await writeFile(path('data', 'postgres', 'PG_VERSION'), '15\n');
    await expect(start('data')).rejects.toMatchObject({
      code: 'other-version',
      message: expect.stringMatching(/15.*18/s),
    });
  });

  test('a folder that is no database', async () => {
    await mkdir(path('data', 'postgres', 'photos'), { recursive: true });
    await expect(start('data')).rejects.toMatchObject({ code: 'not-a-cluster' });
  });

  test('DATA_DIR is a file', async () => {
    await writeFile(path('data'), '');
    await expect(start('data')).rejects.toMatchObject({ code: 'data-dir-not-writable' });
  });

  test('a password that is not the cluster’s, or is gone', async () => {
    await (await start('data')).stop();
    await writeFile(path('data', 'postgres-password'), 'another\n');
    await expect(start('data')).rejects.toMatchObject({ code: 'wrong-password' });
    await rm(path('data', 'postgres-password'));
    await expect(start('data')).rejects.toMatchObject({ code: 'wrong-password' });
  });

  test('a setting that PostgreSQL refuses: its own words are quoted, and nothing stays behind', async () => {
    await expect(start('data', { work_mem: 'much' })).rejects.toMatchObject({
      code: 'did-not-start',
      message: expect.stringContaining('invalid value for parameter "work_mem"'),
    });
    expect(await postmasters()).toEqual([]);
  });

  test('a full disk', () => {
    const lastWords = 'PANIC:  could not write to file "pg_wal/xlogtemp.29": No space left on device';
    expect(startFault('it did not start', lastWords, '/data')).toMatchObject({
      code: 'disk-full',
      message: expect.stringContaining('/data'),
    });
  });
});
