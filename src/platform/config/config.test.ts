import { createHash, generateKeyPairSync } from 'node:crypto';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { ConfigurationError, databaseOf, parseConfig } from './config.ts';
import { productionFaults } from './production.ts';

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
  MASTER_KEY: 'kE9vXw2rTqLz7NbYc4HsGd8JfUm1PaRo',
  PASSWORD_PEPPER: 'Qy6ZtBn3WxVh0KpLe5JcMg7RsDf2AuTi',
  SMTP_URL: 'smtps://mail.example.org',
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
    MASTER_KEY: 'too short',
    FAIL_POINT: 'after-append',
    RATE_LIMITS: 'off',
    TRUSTED_PROXIES: '10.0.0.0/8, proxy.example.org',
  });
  const names = ['PORT', 'DB_PORT', 'LOG_LEVEL', 'PASSWORD_MIN_LENGTH', 'MASTER_KEY', 'PUBLIC_URL', 'JWT_PRIVATE_KEYS'];
  expect(faults.map((fault) => fault.split(' ')[0]).toSorted()).toEqual(
    [
      ...names,
      'SMTP_URL',
      'PASSWORD_PEPPER',
      'PASSWORD_COST',
      'FAIL_POINT',
      'RATE_LIMITS',
      'TRUSTED_PROXIES',
    ].toSorted(),
  );
  expect(faults).toContain('LOG_LEVEL must be one of trace, debug, info, warn, error, fatal, silent');
});

const IN_CLEAR = 'SMTP_URL must not say tls=off in production, unless the server is on this machine';

describe('production', () => {
  test('starts with all its secrets', () => expect(parseConfig(PRODUCTION)).toMatchObject({ production: true }));

  test.each([
    'PUBLIC_URL',
    'JWT_PRIVATE_KEYS',
    'MASTER_KEY',
    'PASSWORD_PEPPER',
    'SMTP_URL',
  ])('is refused without %s', (name) => {
    expect(faultsOf({ ...PRODUCTION, [name]: '' })).toEqual([`${name} must be given in production`]);
  });

  const { MASTER_KEY, JWT_PRIVATE_KEYS } = PRODUCTION;
  const PASSWORD = 'Vb8nQz4tLw1xRk6y';
  const more = { ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }) };
  const keys = (...all: readonly object[]) => JSON.stringify({ keys: all });
  const SECRETS =
    'must have at least 32 characters; of several secrets each, newest first, with commas and no spaces between';
  const OTHER = 'Hn5YpWc8ZrGt2LkXv7QjMb4SfDa9UeCx';
  const OLDER = 'Jw3TgVx6NqPz9RhKs1LyFb8CmDe5AuWo';
  const RANDOM = 'must be random in production: this is an example, or repeats itself';
  const HTTPS =
    'PUBLIC_URL must begin with https:// in production, unless it is this machine: passwords and tokens go there';
  const ONCE = 'JWT_PRIVATE_KEYS must name each key once';
  const CLEAR =
    'KAFKA_SASL_MECHANISM must not be PLAIN in production without KAFKA_TLS: the password would be sent as it is';
  const SASL = { KAFKA_USERNAME: 'task-service', KAFKA_PASSWORD: PASSWORD };

  test.each<[Record<string, string>, string]>([
    [{ MASTER_KEY: MASTER_KEY.slice(0, 31) }, `MASTER_KEY ${SECRETS}`],
    [{ MASTER_KEY: `${OTHER},${MASTER_KEY.slice(0, 31)}` }, `MASTER_KEY ${SECRETS}`],
    [{ MASTER_KEY: `${OTHER}, ${MASTER_KEY}` }, `MASTER_KEY ${SECRETS}`],
    [{ PASSWORD_PEPPER: `${OTHER},` }, `PASSWORD_PEPPER ${SECRETS}`],
    [{ MASTER_KEY: `${MASTER_KEY},${'m'.repeat(32)},${'n'.repeat(32)}` }, `MASTER_KEY ${RANDOM}`],
    [{ MASTER_KEY: `${MASTER_KEY},${OTHER},${MASTER_KEY}` }, 'MASTER_KEY must name each secret once'],
    [{ PASSWORD_PEPPER: `${OTHER},${MASTER_KEY}` }, 'MASTER_KEY and PASSWORD_PEPPER must differ'],
    [{ PASSWORD_PEPPER: `${OTHER},${OLDER}`, METRICS_TOKEN: OLDER }, 'PASSWORD_PEPPER and METRICS_TOKEN must differ'],
    [{ MASTER_KEY: 'change-me-change-me-change-me-now!' }, `MASTER_KEY ${RANDOM}`],
    [{ MASTER_KEY: 'm'.repeat(32) }, `MASTER_KEY ${RANDOM}`],
    [{ PASSWORD_PEPPER: 'kE9vXw2r'.repeat(4) }, `PASSWORD_PEPPER ${RANDOM}`],
    [{ PASSWORD_PEPPER: MASTER_KEY }, 'MASTER_KEY and PASSWORD_PEPPER must differ'],
    [{ KAFKA_PASSWORD: MASTER_KEY }, 'MASTER_KEY and KAFKA_PASSWORD must differ'],
    [{ REDIS_PASSWORD: PASSWORD, DB_PASSWORD: PASSWORD }, 'DB_PASSWORD and REDIS_PASSWORD must differ'],
    [{ DB_PASSWORD: 'short1' }, 'DB_PASSWORD must have at least 12 characters in production'],
    [{ TASK_DB_PASSWORD: 'postgres-for-all' }, `TASK_DB_PASSWORD ${RANDOM}`],
    [{ DB_HOST: 'db.example.org' }, 'DB_PASSWORD must be given in production, or that of each service'],
    [{ REDIS_HOST: 'redis.example.org' }, 'REDIS_PASSWORD must be given in production'],
    [{ KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512' }, 'KAFKA_PASSWORD must be given in production with KAFKA_SASL_MECHANISM'],
    [{ KAFKA_SASL_MECHANISM: 'PLAIN', ...SASL }, CLEAR],
    [{ JWT_PRIVATE_KEYS: keys(key, { ...more, kid: key.kid }) }, ONCE],
    [{ JWT_PRIVATE_KEYS: keys(key, { ...key, kid: 'another name' }) }, ONCE],
    [{ PUBLIC_URL: 'http://tasks.example.org' }, HTTPS],
    [{ PASSWORD_COST: '11' }, 'PASSWORD_COST must be at least 12 in production'],
    [{ RATE_LIMITS: 'off' }, 'RATE_LIMITS must be on in production'],
    [{ FAIL_POINT: 'after-append' }, 'FAIL_POINT is for tests'],
    [{ SMTP_URL: 'smtp://mail.example.org?tls=off' }, IN_CLEAR],
    [{ SMTP_URL: 'smtp://127.0.0.1.example.org?tls=off' }, IN_CLEAR],
  ])('is refused with %j, and the value is not quoted', (change, fault) => {
    expect(faultsOf({ ...PRODUCTION, ...change })).toEqual([fault]);
    expect(faultsOf({ ...change }), 'and only in production').toHaveLength(fault.endsWith(SECRETS) ? 1 : 0);
  });

  test('all weak settings are named at once', () => {
    const weak = {
      NODE_ENV: 'production',
      PUBLIC_URL: 'http://tasks.example.org',
      MASTER_KEY: 'm'.repeat(32),
      RATE_LIMITS: 'off',
      PASSWORD_COST: '4',
      FAIL_POINT: 'after-append',
      DB_HOST: 'db',
      REDIS_HOST: 'redis',
    };
    expect(faultsOf(weak).map((fault) => fault.split(' ')[0])).toEqual([
      'JWT_PRIVATE_KEYS',
      'PASSWORD_PEPPER',
      'SMTP_URL',
      'MASTER_KEY',
      'DB_PASSWORD',
      'REDIS_PASSWORD',
      'PUBLIC_URL',
      'PASSWORD_COST',
      'RATE_LIMITS',
      'FAIL_POINT',
    ]);
  });

  test.each<Record<string, string>>([
    { DB_HOST: '/run/postgresql' },
    { DB_HOST: 'db.example.org', DB_PASSWORD: PASSWORD },
    { DB_HOST: 'db.example.org', TASK_DB_USER: 'task_service_login', TASK_DB_PASSWORD: PASSWORD },
    { USER_DB_PASSWORD: PASSWORD, TASK_DB_PASSWORD: PASSWORD },
    { REDIS_HOST: 'localhost' },
    { KAFKA_SASL_MECHANISM: 'PLAIN', KAFKA_TLS: 'system', ...SASL },
    { JWT_PRIVATE_KEYS: keys(key, { ...more, kid: 'two' }) },
    { PUBLIC_URL: 'http://localhost:8000' },
    { MASTER_KEY: `${MASTER_KEY},${OTHER}`, PASSWORD_PEPPER: `${OLDER},${PRODUCTION.PASSWORD_PEPPER}` },
    { MASTER_KEY: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08' },
  ])('is not refused with %j', (change) => expect(faultsOf({ ...PRODUCTION, ...change })).toEqual([]));
  test('never takes what is random for an example', () => {
    // The same each time: of all that is random a few in a million hold 123456, which is refused.
    const randomOf = (n: number) => createHash('sha512').update(String(n)).digest();
    for (let n = 0; n < 1_000; n += 1) {
      const settings = {
        MASTER_KEY: randomOf(n).subarray(0, 32).toString('base64'),
        DB_PASSWORD: randomOf(n).subarray(32, 44).toString('hex'),
      };
      expect(productionFaults({ ...settings, PUBLIC_URL: PRODUCTION.PUBLIC_URL }, 'task')).toEqual([]);
    }
  });
  test('keys are compared, whatever else is in their set', () =>
    expect(faultsOf({ ...PRODUCTION, JWT_PRIVATE_KEYS: `${JWT_PRIVATE_KEYS} ` })).toEqual([]));

  test.each(['localhost', '127.0.0.2:2525', '[::1]'])('may send mails in clear to %s, on this machine', (host) =>
    expect(faultsOf({ ...PRODUCTION, SMTP_URL: `smtp://${host}?tls=off` })).toEqual([]));
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

describe('a mail server', () => {
  test.each([
    'mail.example.org',
    'http://mail.example.org',
    'smtp://',
    'smtp://mail.example.org/inbox',
    'smtp://mail.example.org?tls=maybe',
    'smtp://mail.example.org?tls.rejectUnauthorized=false',
    'smtp://ada:secret@mail.example.org#x',
  ])('%s is none, and is not quoted', (SMTP_URL) => {
    const faults = faultsOf({ SMTP_URL });
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(/^SMTP_URL must be a mail server/);
    expect(faults[0]).not.toContain('secret');
  });
  test.each([
    'smtp://localhost',
    'smtp://127.0.0.1:2525?tls=off',
    'smtp://mail.example.org:587?tls=required',
    'smtps://ada%40example.org:s%3Acret@mail.example.org',
  ])('%s is one', (SMTP_URL) => expect(faultsOf({ SMTP_URL })).toEqual([]));
});

describe('whom mails come from', () => {
  test('is this installation, unless something else is said', () => {
    expect(parseConfig({}).MAIL_FROM).toBe('Taskwire <no-reply@localhost>');
    expect(parseConfig(PRODUCTION).MAIL_FROM).toBe('Taskwire <no-reply@tasks.example.org>');
    expect(parseConfig({ MAIL_FROM: 'Us <us@example.org>' }).MAIL_FROM).toBe('Us <us@example.org>');
  });
  test.each([
    'Taskwire',
    'Taskwire <no-reply>',
    '<no-reply@example.org>',
    'a@example.org, b@example.org',
    'Taskwire <a@example.org>\r\nBcc: eve@example.org',
    'Task\nwire <a@example.org>',
  ])('%j is nobody', (MAIL_FROM) => expect(faultsOf({ MAIL_FROM })).toHaveLength(1));
});

test('each setting of a service’s database may be its own, and is the others’ otherwise', () => {
  const shared = { host: 'one', port: 5432, database: 'taskwire', user: 'owner', password: 'p' };
  const config = parseConfig({
    TASK_DB_HOST: 'two',
    TASK_DB_PORT: '5433',
    USER_DB_USER: 'me',
    USER_DB_PASSWORD: 'mine',
  });
  expect(databaseOf(config, 'TASK', shared)).toEqual({ ...shared, host: 'two', port: 5433 });
  expect(databaseOf(config, 'USER', shared)).toEqual({ ...shared, user: 'me', password: 'mine' });
  expect(databaseOf(config, 'KEYS', shared)).toEqual(shared);
});
