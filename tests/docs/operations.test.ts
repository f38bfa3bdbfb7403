/** What docs/operations.md says to type: run where it can be, and else held to what is there. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseEnv } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { parseConfig } from '../../src/platform/config/config.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/platform/embedded/postgres.ts';
import { openKeyRing } from '../../src/platform/keys/key-ring.ts';
import { openDatabase } from '../../src/platform/sql/database.ts';

const document = readFileSync('docs/operations.md', 'utf8');
/** The ```sh blocks, by the word after it: none = it is run here. */
const blocks = [...document.matchAll(/^( *)```sh ?(\w*)\n(.*?)^\1```$/gms)].map(([, , needs = '', script = '']) => ({
  needs,
  script,
}));
const needing = (what: string) => blocks.filter(({ needs }) => needs === what).map(({ script }) => script);

let folder: string;
/** A server of its own: the roles that are made here would be all other tests' too. */
let server: EmbeddedPostgres | undefined;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'taskwire-operations-'));
  server = await startEmbeddedPostgres({
    dataDir: path.join(folder, 'server'),
    report: () => undefined,
    settings: { fsync: 'off' },
  });
  // As in a checkout: `npx taskwire` is the product's own.
  for (const part of ['bin', 'src', 'node_modules', 'package.json'])
    await symlink(path.resolve(part), path.join(folder, part));
  const services = ['user', 'task', 'notification'].map(
    (name) => `${name}_service_login=of-${name}-and-of-nobody-else`,
  );
  await writeFile(path.join(folder, 'logins.txt'), services.join('\n'));
});
afterAll(async () => {
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});
const run = (script: string) => {
  const { host = '', port, user = '', password = '' } = server?.connection ?? {};
  const env = {
    PATH: `${path.dirname(process.execPath)}:${process.env.PATH}`,
    HOME: process.env.HOME,
    DB_HOST: host,
    DB_PORT: String(port),
    DB_USER: user,
    DB_PASSWORD: password,
  };
  const { status, stdout, stderr } = spawnSync(
    'bash',
    ['-euo', 'pipefail', '-c', `npx() { node bin/"$1".js "\${@:2}"; }\n${script}`],
    { cwd: folder, encoding: 'utf8', env },
  );
  return { status, said: stdout + stderr };
};

test('says of every block what it needs', () => {
  expect([...new Set(blocks.map(({ needs }) => needs))].toSorted()).toEqual([
    '',
    'backup',
    'broker',
    'engine',
    'folder',
    'restore',
    'rotation',
    'serves',
  ]);
});

describe('what needs nothing but a database', () => {
  test.each(needing(''))('ends well: %s', (script) => {
    const { status, said } = run(script);
    expect(said).not.toMatch(/not found|unknown|error:/);
    expect({ status, said }).toMatchObject({ status: 0 });
  });
});

test('the environment file that it makes is all that production asks for', () => {
  const script = needing('').find((one) => one.includes('prod.env')) ?? '';
  expect(run(script)).toMatchObject({ status: 0 });
  const settings = parseEnv(readFileSync(path.join(folder, 'prod.env'), 'utf8')) as Record<string, string>;
  const asked = [...readFileSync('docker-compose.prod.yml', 'utf8').matchAll(/\$\{(\w+):\?/g)].map(
    ([, name = '']) => name,
  );
  expect(asked.length).toBeGreaterThan(5);
  expect(asked.filter((name) => !settings[name])).toEqual([]);
  for (const role of ['all', 'user', 'task', 'notification', 'gateway'] as const) {
    expect(
      parseConfig({ NODE_ENV: 'production', ...settings, DB_HOST: 'postgres', REDIS_HOST: 'redis' }, role).production,
    ).toBe(true);
  }
});

test('the steps of a rotation leave every key under the new secret alone', async () => {
  const make = needing('').find((one) => one.includes('prod.env')) ?? '';
  expect(run(make)).toMatchObject({ status: 0 });
  expect(run('npx taskwire migrate')).toMatchObject({ status: 0 });
  const secrets = () => parseEnv(readFileSync(path.join(folder, 'prod.env'), 'utf8'));
  const before = secrets();
  const { host = '', port = 0, user = '', password = '' } = server?.connection ?? {};
  const address = { host, port, user, password, database: 'taskwire' };
  const options = { address, schema: 'keys', statementTimeout: 0, applicationName: 'test' };
  const keys = openDatabase({ ...options, connections: 1 });
  const keyOfAda = async () => (await openKeyRing(keys, secrets().MASTER_KEY ?? '').keyFor('ada')).export();
  try {
    const key = await keyOfAda();
    const said: string[] = [];
    for (const step of needing('rotation')) {
      const told = run(`set -a; . <(grep -E '^(MASTER_KEY|PASSWORD_PEPPER)=' prod.env); set +a\n${step}`);
      expect(told.status, told.said).toBe(0);
      said.push(told.said);
      for (const role of ['all', 'task'] as const) parseConfig({ NODE_ENV: 'production', ...secrets() }, role);
      expect((await keyOfAda()).equals(key), 'it opens after every step').toBe(true);
    }
    expect(said.join('')).toMatch(/^1 key wrapped anew, 0 were so already\nall are under the first secret/m);
    expect(said.join('')).toMatch(/^MASTER_KEY +2 +\S{8} +0 keys$/m);
    const after = secrets();
    expect(after.MASTER_KEY).toMatch(/^[\w-]{44}$/);
    expect(after.MASTER_KEY).not.toBe(before.MASTER_KEY);
    expect(after.PASSWORD_PEPPER).toMatch(new RegExp(`^[\\w-]{44},${before.PASSWORD_PEPPER}$`));
  } finally {
    await keys.close();
  }
});

test('a folder that was packed up is there again', () => {
  expect(run('DB_HOST= DATA_DIR=data npx taskwire migrate')).toMatchObject({ status: 0 });
  for (const script of needing('folder')) expect(run(`export DB_HOST=\n${script}`)).toMatchObject({ status: 0 });
  expect(existsSync(path.join(folder, 'restored'))).toBe(true);
});

describe('what needs a container engine', () => {
  const lines = needing('engine')
    .join('')
    .split('\n')
    .filter((line) => line !== '');
  test.each(lines)('names what is there: %s', (line) => {
    if (line.startsWith('docker build ')) return expect(existsSync('Dockerfile')).toBe(true);
    const [, file = ''] = /^docker compose -f (\S+) --env-file prod\.env (?:up|logs|run|exec|stop)\b/.exec(line) ?? [];
    const services = Object.keys(parse(readFileSync(file, 'utf8'), { merge: true }).services);
    const [, scaled] = /--scale (\w+)=\d+/.exec(line) ?? [];
    const [, named] = /(?:logs -f|run --rm|exec -T|up -d --wait) (\w+)/.exec(line) ?? [];
    for (const name of [scaled, named]) if (name) expect(services).toContain(name);
  });
});
