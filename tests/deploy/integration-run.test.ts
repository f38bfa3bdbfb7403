import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/platform/embedded/postgres.ts';

/** The run itself, over one of its files: what the others say is said by every run of the tests. */
const run = (env: Readonly<Record<string, string>>) =>
  spawnSync('npm', ['run', '--silent', 'test:integration', '--', 'tests/integration/story.test.ts'], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
  });

describe('npm run test:integration', { timeout: 300_000 }, () => {
  let dataDir: string;
  let server: EmbeddedPostgres | undefined;
  beforeAll(async () => {
    dataDir = await mkdtemp(path.join(tmpdir(), 'taskwire-named-'));
    server = await startEmbeddedPostgres({ dataDir, report: () => undefined, settings: { fsync: 'off' } });
  });
  afterAll(async () => {
    await server?.stop();
    await rm(dataDir, { recursive: true, force: true });
  });

  test('runs on the server that the environment names', () => {
    const { host = '', port, user = '', password = '' } = server?.connection ?? {};
    const { status, stdout } = run({ DB_HOST: host, DB_PORT: String(port), DB_USER: user, DB_PASSWORD: password });
    expect(stdout).toMatch(/\d+ passed, 0 failed/);
    expect(status).toBe(0);
  });
  test('says that one must be named', () => {
    const { status, stdout, stderr } = run({});
    expect(status).toBe(1);
    expect(stdout + stderr).toContain('name a PostgreSQL by DB_HOST');
  });
});
