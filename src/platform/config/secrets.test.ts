import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ConfigurationError, parseConfig } from './config.ts';
import { readSecrets } from './secrets.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'taskwire-secrets-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));
const read = (settings: Record<string, string> = {}) =>
  readSecrets(parseConfig({ DATA_DIR: path.join(folder, 'data'), ...settings }));
const file = () => path.join(folder, 'data', 'secrets.json');

test('what was not given is made once, kept, and readable by its owner alone', async () => {
  const first = await read();
  expect(await read()).toEqual(first);
  expect(first.masterKey).not.toBe(first.passwordPepper);
  expect((await stat(file())).mode & 0o777).toBe(0o600);
  expect((await stat(path.dirname(file()))).mode & 0o777).toBe(0o700);
});

test('of 20 that start at once, all read the same', async () => {
  const all = await Promise.all(Array.from({ length: 20 }, () => read()));
  expect(new Set(all.map((secrets) => JSON.stringify(secrets))).size).toBe(1);
});

test('a damaged file stops the start, and is not quoted', async () => {
  await read();
  await writeFile(file(), 'half a secret');
  await expect(read()).rejects.toThrow(ConfigurationError);
  await expect(read()).rejects.not.toThrow('half a secret');
});

test('what is given is used, and the rest is made', async () => {
  const given = 'm'.repeat(32);
  const secrets = await read({ MASTER_KEY: given });
  expect(secrets.masterKey).toBe(given);
  expect(await readFile(file(), 'utf8')).not.toContain(given);
});
