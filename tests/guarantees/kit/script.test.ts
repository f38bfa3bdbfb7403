import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { SCENARIOS } from '../scenarios/index.ts';

test('npm run guarantees loads outside of tests, and names every scenario', async () => {
  const { VITEST: _, ...env } = process.env;
  const script = ['bin/run.js', 'scripts/guarantees.ts', '--list'];
  const { stdout } = await promisify(execFile)(process.execPath, script, { env });
  const named = stdout.split('\n').map((line) => line.split(' ')[0]);
  expect(named).toEqual(expect.arrayContaining(SCENARIOS.map(({ name }) => name)));
});
