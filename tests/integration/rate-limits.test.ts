/** Nobody may use up what all share; a person never notices. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTokenVerifier } from '../../src/platform/auth/tokens.ts';
import { createMemoryLimiter } from '../../src/platform/cache/limits.ts';
import { LIMITS } from '../../src/platform/http/rate-limit.ts';
import { createHttpApp } from '../../src/platform/http/server.ts';
import { createLogger } from '../../src/platform/telemetry/logger.ts';
import { PASSWORD, startTestApp, type TestApp } from '../support/app.ts';
import { type RedisServer, redis, startRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp({ RATE_LIMITS: 'on', TRUSTED_PROXIES: '10.0.0.0/8' });
});
afterAll(() => app.close());

let addresses = 0;
const newAddress = () => {
  addresses += 1;
  return `192.0.2.${addresses}`;
};
type Asked = { readonly from?: string; readonly forwarded?: string; readonly token?: string; readonly body?: object };
const ask = async (
  method: 'GET' | 'POST',
  url: string,
  { from = newAddress(), forwarded, token, body }: Asked = {},
) => {
  const {
    statusCode: status,
    headers,
    ...response
  } = await app.app.http.inject({
    method,
    url,
    remoteAddress: from,
    headers: { ...(forwarded && { 'x-forwarded-for': forwarded }), ...(token && { authorization: `Bearer ${token}` }) },
    ...(body && { payload: body }),
  });
  return { status, headers, body: status === 429 ? response.json() : undefined };
};
/** Asks faster than it is given back, until somebody is refused. */
const untilRefused = async <T extends { readonly status: number }>(act: () => Promise<T>): Promise<readonly T[]> => {
  const answers: T[] = [];
  while (answers.length < 20_000) {
    answers.push(...(await Promise.all(Array.from({ length: 50 }, act))));
    if (answers.some(({ status }) => status === 429)) return answers;
  }
  throw new Error('nobody was refused');
};
const allowedOf = (answers: readonly { readonly status: number }[]) => answers.filter(({ status }) => status !== 429);
const times = async <T>(count: number, act: () => Promise<T>): Promise<readonly T[]> => {
  const answers: T[] = [];
  for (let n = 0; n < count; n += 1) answers.push(await act());
  return answers;
};
const login = (email: string, from: string, password = 'wrong password') =>
  ask('POST', '/api/v1/auth/login', { from, body: { email, password } });

describe('an answer', () => {
  test('says what is allowed, and what is left of it', async () => {
    const { headers } = await ask('GET', '/openapi.json');
    expect(headers['ratelimit-policy']).toBe('"anonymous";q=600;w=60');
    expect(headers.ratelimit).toBe('"anonymous";r=599;t=1');
  });

  test('of a login, by address and by account', async () => {
    const { headers } = await login('ada@example.org', newAddress());
    expect(headers['ratelimit-policy']).toBe('"anonymous";q=600;w=60, "login";q=60;w=60, "login-account";q=10;w=60');
    expect(headers.ratelimit).toMatch(/^"anonymous";r=599;t=1, "login";r=59;t=1, "login-account";r=9;t=6$/);
  });

  test('that passes through keeps what the service behind has said', async () => {
    const verifier = createTokenVerifier(async () => ({ keys: [] }), 'https://tasks.example.org');
    const limits = { limiter: createMemoryLimiter(), counts: ['edge'] } as const;
    const http = await createHttpApp({ verifier, limits, logger: createLogger('silent') });
    http.get('/', { config: { access: 'public' } }, async (_request, reply) =>
      reply
        .headers({ ratelimit: '"login-account";r=9;t=6', 'ratelimit-policy': '"login-account";q=10;w=60' })
        .send('x'),
    );
    const { headers } = await http.inject('/');
    expect(headers.ratelimit).toBe('"anonymous";r=599;t=1, "login-account";r=9;t=6');
    expect(headers['ratelimit-policy']).toBe('"anonymous";q=600;w=60, "login-account";q=10;w=60');
    await http.close();
  });

  test('of health says nothing, for it is never refused', async () => {
    const from = newAddress();
    const answers = await times(LIMITS.anonymous.quota + 5, () => ask('GET', '/health/live', { from }));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(answers[0]?.headers).not.toHaveProperty('ratelimit');
  });
});

describe('too many', () => {
  test('are refused with what to do, from that address alone', async () => {
    const from = newAddress();
    const answers = await untilRefused(() => ask('GET', '/favicon.ico', { from }));
    expect(allowedOf(answers).length).toBeGreaterThanOrEqual(LIMITS.anonymous.quota);
    const refused = answers.find(({ status }) => status === 429);
    expect(refused?.headers['retry-after']).toBe('1');
    expect(refused?.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(refused?.body).toMatchObject({
      type: '/problems/rate-limited',
      status: 429,
      code: 'rate-limited',
      detail: expect.stringContaining('anonymous, 600 in 60 s'),
    });
    expect((await ask('GET', '/favicon.ico')).status).toBe(204);
  });

  test('of a person, wherever they are; others at the same address are not kept out', async () => {
    const [ada, bob] = [await app.person(), await app.person()];
    const from = newAddress();
    const answers = await untilRefused(() => ask('GET', '/api/v1/me', { from, token: ada.token }));
    expect(allowedOf(answers).length).toBeGreaterThanOrEqual(LIMITS.person.quota);
    const elsewhere = await untilRefused(() => ask('GET', '/api/v1/me', { token: ada.token }));
    expect(allowedOf(elsewhere).length).toBeLessThan(LIMITS.person.quota / 2);
    expect((await ask('GET', '/api/v1/me', { from, token: bob.token })).status).toBe(200);
  });
});

describe('guessing', () => {
  test('of one password is refused soon; its owner comes in from elsewhere', async () => {
    const { email } = await app.person();
    const from = newAddress();
    const { quota, window } = LIMITS.login.account;
    const began = performance.now();
    const guesses = await untilRefused(() => login(email, from));
    const givenBack = Math.floor(((performance.now() - began) / 1_000) * (quota / window));
    expect(allowedOf(guesses).length).toBeGreaterThanOrEqual(quota);
    expect(allowedOf(guesses).length).toBeLessThanOrEqual(quota + givenBack);
    expect(Number(guesses.at(-1)?.headers['retry-after'])).toBeGreaterThanOrEqual(1);
    expect((await login(email.toUpperCase(), from, PASSWORD)).status, 'however it is spelt').toBe(429);
    expect((await login(email, newAddress(), PASSWORD)).status).toBe(200);
  });

  test('makes each wait longer, from wherever it comes, until somebody is in; nobody is kept out', async () => {
    const { email } = await app.person();
    const guess = async (password?: string) => {
      const began = performance.now();
      const { status } = await login(email, newAddress(), password);
      return { status, ms: performance.now() - began };
    };
    const guesses = await times(8, () => guess());
    expect(guesses.map(({ status }) => status)).toEqual(Array(8).fill(401));
    expect(guesses.at(-1)?.ms, '250, 500, 1,000').toBeGreaterThanOrEqual(990);
    const owner = await guess(PASSWORD);
    expect(owner.status).toBe(200);
    expect(owner.ms, 'nobody is told by the time which was right').toBeGreaterThanOrEqual(1_990);
    expect((await guess()).status, 'and they wait no more: five are free again').toBe(401);
  });

  test('over many accounts is refused by address', async () => {
    const from = newAddress();
    const guesses = await untilRefused(() => login(`${randomUUID()}@example.org`, from));
    expect(allowedOf(guesses).length).toBeGreaterThanOrEqual(LIMITS.login.address.quota);
  });

  test('by registering is refused too', async () => {
    const from = newAddress();
    const register = () =>
      ask('POST', '/api/v1/auth/register', {
        from,
        body: { email: 'taken@example.org', username: `u${randomUUID().slice(0, 8)}`, password: PASSWORD },
      });
    const answers = await times(LIMITS.registration.account.quota + 1, register);
    expect(answers.map(({ status }) => status)).toEqual([201, ...Array(9).fill(409), 429]);
  });
});

describe('behind a proxy', () => {
  const left = async (from: string, forwarded: string) => {
    const body = { email: 'ada@example.org', password: 'wrong password' };
    const { headers } = await ask('POST', '/api/v1/auth/login', { from, forwarded, body });
    return Number(/"login-account";r=(\d+)/.exec(String(headers.ratelimit))?.[1]);
  };
  test('that is trusted, whom it asks for is counted', async () => {
    const client = newAddress();
    expect(await left('10.1.2.3', client)).toBe(9);
    expect(await left('10.9.9.9', `198.51.100.1, ${client}`), 'whatever that one says of itself').toBe(8);
    expect(await left('10.1.2.3', newAddress())).toBe(9);
  });
  test('that is not, it is counted itself', async () => {
    const from = newAddress();
    expect(await left(from, newAddress())).toBe(9);
    expect(await left(from, newAddress())).toBe(8);
  });
});

redis.describe('with Redis', (executable) => {
  let server: RedisServer;
  let copies: readonly TestApp[] = [];
  beforeAll(async () => {
    server = await startRedis(executable);
    const settings = { RATE_LIMITS: 'on', REDIS_HOST: '127.0.0.1', REDIS_PORT: String(server.port) };
    copies = [await startTestApp(settings), await startTestApp(settings)];
    for (const copy of copies)
      await until('its health', async () => (await healthOf(copy)).body.parts.cache.status === 'ok');
  });
  afterAll(async () => {
    for (const copy of copies) await copy.close();
    await server.stop();
  });
  const healthOf = (copy: TestApp) => copy.ask('GET', '/health');
  const guess = async (copy: TestApp | undefined, remoteAddress: string) =>
    (
      await copy?.app.http.inject({
        method: 'POST',
        url: '/api/v1/auth/login',
        remoteAddress,
        payload: { email: 'ada@example.org', password: 'wrong password' },
      })
    )?.statusCode;

  test('copies count together', async () => {
    // On a busy machine Redis may seem to be away for a moment, and each counts by itself then.
    await until('the quota to be shared', async () => {
      const from = newAddress();
      const answers = await Promise.all(Array.from({ length: 24 }, (_, n) => guess(copies[n % 2], from)));
      return answers.filter((status) => status === 401).length === LIMITS.login.account.quota;
    });
  });

  test('away: each counts by itself, nobody is failed, and health says so and stays ready', async () => {
    await server.kill();
    const from = newAddress();
    const answers = await Promise.all(Array.from({ length: 24 }, () => guess(copies[0], from)));
    expect(answers.filter((status) => status === 401)).toHaveLength(LIMITS.login.account.quota);
    expect(answers.filter((status) => status === 429)).toHaveLength(14);
    const health = await copies[0]?.ask('GET', '/health');
    expect(health).toMatchObject({
      status: 200,
      body: { status: 'degraded', parts: { cache: { status: 'degraded' } } },
    });
    expect(await copies[0]?.ask('GET', '/health/ready')).toMatchObject({ status: 200 });
    await server.start();
    for (const copy of copies)
      await until('its health', async () => (await healthOf(copy)).body.parts.cache.status === 'ok');
  });
});
