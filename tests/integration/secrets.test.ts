/** The secrets of an installation beside its database: made for an empty one, and never for one that was filled with others. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ConfigurationError, parseConfig } from '../../src/platform/config/config.ts';
import type { Secrets } from '../../src/platform/config/secrets.ts';
import { openKeyRing } from '../../src/platform/keys/key-ring.ts';
import { openDatabase } from '../../src/platform/sql/database.ts';
import { secretsFor } from '../../src/secrets.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

const GIVEN = 'a secret of some 32 characters for a test';
let empty: TestDatabase;
let filled: TestDatabase;
let folder: string;
beforeAll(async () => {
  [empty, filled] = await Promise.all([createTestDatabase(), createTestDatabase()]);
  folder = await mkdtemp(path.join(tmpdir(), 'taskwire-secrets-'));
  const options = {
    address: filled.address,
    schema: 'keys',
    statementTimeout: 10_000,
    applicationName: 'secrets test',
  };
  const keys = openDatabase({ ...options, connections: 1 });
  await openKeyRing(keys, GIVEN).keyFor('ada');
  await keys.close();
});
afterAll(async () => {
  await Promise.all([empty.drop(), filled.drop()]);
  await rm(folder, { recursive: true, force: true });
});

const secretsOf = (
  name: string,
  { address }: TestDatabase,
  given: Record<string, string>,
  ...used: (keyof Secrets)[]
) => secretsFor(parseConfig({ DATA_DIR: path.join(folder, name), ...given }), address, ...used);
const hasMade = (name: string): boolean => existsSync(path.join(folder, name, 'secrets.json'));

test('are made for a database that holds nothing yet, and are the same from then on', async () => {
  const made = await secretsOf('first', empty, {});
  expect(hasMade('first')).toBe(true);
  expect(await secretsOf('first', filled, {})).toEqual(made);
});

const LACKING: [string, Record<string, string>, (keyof Secrets)[]][] = [
  ['MASTER_KEY', {}, ['masterKey']],
  ['MASTER_KEY and PASSWORD_PEPPER', {}, []],
  ['PASSWORD_PEPPER', { MASTER_KEY: GIVEN }, []],
];
test.each(LACKING)('are not made where others lie in the database: %s must be given', async (lacks, given, used) => {
  const asked = secretsOf('other', filled, given, ...used);
  await expect(asked).rejects.toThrow(ConfigurationError);
  await expect(asked).rejects.toThrow(`${lacks} must be given: `);
  expect(hasMade('other')).toBe(false);
});

test('those of tokens are made wherever there are none: nothing that lies there needs the old ones', async () => {
  const given = { MASTER_KEY: GIVEN, PASSWORD_PEPPER: 'another secret of 32 characters or more' };
  expect(await secretsOf('tokens', filled, given)).toMatchObject({ masterKey: GIVEN });
  expect(hasMade('tokens')).toBe(true);
});

test('none is asked for that is not used', async () => {
  expect(await secretsOf('unused', filled, { MASTER_KEY: GIVEN }, 'masterKey')).toEqual({ masterKey: GIVEN });
  expect(hasMade('unused')).toBe(false);
});
