import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';

/** A run of vitest over a fixture, in an environment that says whether this is CI. */
const run = (fixture: string, { CI, filter = '' }: { CI?: string; filter?: string } = {}) => {
  const config = 'tests/support/fixtures/vitest.config.ts';
  const { status, stdout } = spawnSync(
    process.execPath,
    ['node_modules/vitest/vitest.mjs', 'run', '--config', config, '-t', filter, fixture],
    { encoding: 'utf8', env: { ...process.env, CI, NO_COLOR: '1' } },
  );
  const lines = stdout.trimEnd().split('\n');
  const closing = lines.filter((line) => /^\d+ passed, \d+ failed(, \d+ skipped)?$/.test(line));
  expect(closing, 'one closing line, and it is the last').toEqual([lines.at(-1)]);
  return { ok: status === 0, closing: closing[0], output: stdout };
};

test('a test whose tool is missing is named as not run, with its reason', () => {
  const { ok, closing, output } = run('lacks-a-tool');
  expect({ ok, closing }).toEqual({ ok: true, closing: '2 passed, 0 failed, 1 skipped' });
  expect(output).toMatch(
    /Not run:\n.*lacks-a-tool\.fixture\.ts > missing > needs a tool that nobody has \(wait for it\)/,
  );
});

test('in CI the same test fails', () => {
  expect(run('lacks-a-tool', { CI: 'true' })).toMatchObject({ ok: false, closing: '2 passed, 1 failed' });
});

test('a file that breaks while it is read counts as a failure', () => {
  expect(run('breaks-outside-a-test')).toMatchObject({ ok: false, closing: '0 passed, 1 failed' });
});

test('a hook that breaks counts as a failure', () => {
  expect(run('breaks-in-a-hook')).toMatchObject({ ok: false, closing: '0 passed, 1 failed, 1 skipped' });
});

test('a run without any file fails', () => {
  expect(run('no-such-file')).toMatchObject({ ok: false, closing: '0 passed, 0 failed' });
});

test('a run whose filter leaves nothing fails', () => {
  expect(run('lacks-a-tool', { filter: 'no such test' })).toMatchObject({
    ok: false,
    closing: '0 passed, 0 failed, 3 skipped',
  });
});
