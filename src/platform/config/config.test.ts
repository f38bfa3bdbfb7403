import { generateKeyPairSync } from 'node:crypto';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { ConfigurationError, databaseOf, parseConfig } from './config.ts';

const faultsOf = (environment: Record<string, string>): readonly string[] => {
  try {
    parseConfig(environment);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return error.message
      .split('\n')
      .slice(1)
      .map((line) => line.trim());
  }
};
const key = { ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }), kid: 'one' };
const PRODUCTION = {
  NODE_ENV: 'production',
  PUBLIC_URL: 'https://tasks.example.org',
  JWT_PRIVATE_KEYS: JSON.stringify({ keys: [key] }),
  MASTER_KEY: 'm'.repeat(32),
  PASSWORD_PEPPER: 'p'.repeat(32),
};

test('nothing needs to be set', () => {
  expect(parseConfig({})).toMatchObject({
    NODE_ENV: 'development',
    PORT: 8000,
    PUBLIC_URL: 'http://localhost:8000',
    DATA_DIR: path.resolve('data'),
    production: false,
  });
});

test('an empty value is none, and what is not ours is passed over', () => {
  expect(parseConfig({ PORT: '', PATH: '/bin', PUBLIC_URL: 'https://a.example/' })).toMatchObject({
    PORT: 8000,
    PUBLIC_URL: 'https://a.example',
  });
  expect(parseConfig({ PATH: '/bin' })).not.toHaveProperty('PATH');
});

test('every fault is named at once, those of production among them', () => {
  const faults = faultsOf({
    NODE_ENV: 'production',
    PORT: 'eighty',
    DB_PORT: '70000',
    LOG_LEVEL: 'loud',
    PASSWORD_MIN_LENGTH: '4',
    PASSWORD_COST: '10',
    MASTER_KEY: 'short',
    FAIL_POINT: 'after-append',
  });
  const names = ['PORT', 'DB_PORT', 'LOG_LEVEL', 'PASSWORD_MIN_LENGTH', 'MASTER_KEY', 'PUBLIC_URL', 'JWT_PRIVATE_KEYS'];
  expect(faults.map((fault) => fault.split(' ')[0]).toSorted()).toEqual(
    [...names, 'PASSWORD_PEPPER', 'PASSWORD_COST', 'FAIL_POINT'].toSorted(),
  );
  expect(faults).toContain('LOG_LEVEL must be one of trace, debug, info, warn, error, fatal, silent');
});

describe('production', () => {
  test('starts with all its secrets', () => expect(parseConfig(PRODUCTION)).toMatchObject({ production: true }));

  test.each(['PUBLIC_URL', 'JWT_PRIVATE_KEYS', 'MASTER_KEY', 'PASSWORD_PEPPER'])('is refused without %s', (name) => {
    expect(faultsOf({ ...PRODUCTION, [name]: '' })).toEqual([`${name} must be given in production`]);
  });

  test.each<[Record<string, string>, string]>([
    [{ PASSWORD_PEPPER: PRODUCTION.MASTER_KEY }, 'MASTER_KEY and PASSWORD_PEPPER must differ'],
    [{ PASSWORD_COST: '11' }, 'PASSWORD_COST must be at least 12 in production'],
    [{ FAIL_POINT: 'after-append' }, 'FAIL_POINT is for tests'],
  ])('is refused with %j', (change, fault) => expect(faultsOf({ ...PRODUCTION, ...change })).toEqual([fault]));
});

describe('keys', () => {
  const { d: _private, ...publicKey } = key;
  const { kid: _name, ...nameless } = key;
  test.each([
    'secret-that-is-no-json',
    '{}',
    'null',
    '{"keys":[]}',
    '{"keys":[null]}',
    JSON.stringify({ keys: [publicKey] }),
    JSON.stringify({ keys: [nameless] }),
    JSON.stringify({ keys: [key, { ...key, crv: 'P-384' }] }),
    JSON.stringify({ keys: [{ kty: 'oct', k: 'secret', kid: 'one' }] }),
  ])('%s are none, and are not quoted', (keys) => {
    const faults = faultsOf({ JWT_PRIVATE_KEYS: keys });
    expect(faults).toEqual(['JWT_PRIVATE_KEYS must be a JWK set of private P-256 keys, each with a kid']);
  });
});

test.each([
  'localhost',
  'ftp://a.example',
  'https://a.example/?x=1',
  'https://a:b@a.example',
  'https://',
  'javascript:x',
])('%s is no public address', (url) => expect(faultsOf({ PUBLIC_URL: url })).toHaveLength(1));

test('a service has a database of its own when its host is named, and shares the others’ settings otherwise', () => {
  const shared = { host: 'one', port: 5432, database: 'taskwire', user: 'owner', password: 'p' };
  const config = parseConfig({ TASK_DB_HOST: 'two', TASK_DB_PORT: '5433', USER_DB_PORT: '1' });
  expect(databaseOf(config, 'TASK', shared)).toEqual({ ...shared, host: 'two', port: 5433 });
  expect(databaseOf(config, 'USER', shared)).toBe(shared);
});
