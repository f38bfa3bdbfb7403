import { writeSync } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { openLog } from './log.ts';
import { testbed } from './testbed.ts';

const { path } = testbed();

test('a log that grew too big is set aside once, and its writers go on at the beginning', async () => {
  const file = path('postgres.log');
  await writeFile(file, 'x'.repeat(5_000_000));
  const log = openLog(file);
  const since = log.mark();
  writeSync(log.output, 'FATAL: last words\n');
  expect(log.tail(since)).toBe('FATAL: last words');
  log.close();
  expect(await readFile(file, 'utf8')).toBe('FATAL: last words\n');
  expect((await stat(`${file}.1`)).size).toBe(5_000_000);
});
