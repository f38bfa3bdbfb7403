/** Whoever is limited is so at the door, by all gateways together, and nobody says from outside who they are. */
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type App, buildProcess } from '../../src/app.ts';
import { parseConfig } from '../../src/platform/config/config.ts';
import { readSecrets } from '../../src/platform/config/secrets.ts';
import { LIMITS } from '../../src/platform/http/rate-limit.ts';
import { createLogger } from '../../src/platform/telemetry/logger.ts';
import { userService } from '../../src/services.ts';
import { PASSWORD } from '../support/app.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type RedisServer, redis, startRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';
import { openGateway, type StandIn, standIn } from './bed.ts';

type Gateway = Awaited<ReturnType<typeof openGateway>>;
type Asked = { readonly from: string; readonly path: string; readonly forwarded?: string; readonly body?: object };

let addresses = 0;
const newAddress = (): string => {
  addresses += 1;
  return `192.0.2.${addresses}`;
};
const ask = async ({ http }: Gateway, { from, path: url, forwarded, body }: Asked) => {
  const { statusCode, headers, ...answer } = await http.inject({
    method: body ? 'POST' : 'GET',
    url: `/api/v1/auth/${url}`,
    remoteAddress: from,
    headers: { ...(forwarded !== undefined && { 'x-forwarded-for': forwarded }) },
    ...(body && { payload: body }),
  });
  return { status: statusCode, headers, code: statusCode === 429 ? answer.json().code : undefined };
};
type Answer = Awaited<ReturnType<typeof ask>>;
const refusedOf = (answers: readonly Answer[]) => answers.filter(({ status }) => status === 429);
const allowedOf = (answers: readonly Answer[]) => answers.filter(({ status }) => status !== 429);

const AT_ONCE = 40;
/** So many requests, in turn through each of these gateways, and some of them at once. */
const askThrough = async (gateways: readonly Gateway[], count: number, asked: () => Asked) => {
  const answers: Answer[] = [];
  for (let begun = 0; begun < count; begun += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, count - begun) }, (_, n) => gateways[n % gateways.length]);
    answers.push(...(await Promise.all(some.flatMap((gateway) => (gateway ? [ask(gateway, asked())] : [])))));
  }
  return answers;
};

redis.describe('two gateways on one Redis', (executable) => {
  let server: RedisServer;
  let service: StandIn;
  let gateways: readonly Gateway[] = [];
  const limited = () => ({ RATE_LIMITS: 'on', REDIS_HOST: '127.0.0.1', REDIS_PORT: String(server.port) });
  const open = async (user: string) => [await openGateway({ user }, limited()), await openGateway({ user }, limited())];
  const seeRedis = async (apps: readonly Pick<App, 'http'>[]) => {
    for (const { http } of apps)
      await until('it to see Redis', async () => (await http.inject('/health')).json().parts.cache.status === 'ok');
  };
  const close = (opened: readonly Gateway[]) => Promise.all(opened.map((gateway) => gateway.close('at-once')));
  beforeAll(async () => {
    [server, service] = [await startRedis(executable), await standIn()];
    gateways = await open(service.url);
    await seeRedis(gateways);
  });
  afterAll(async () => {
    await close(gateways);
    await Promise.all([service.stop(), server.stop()]);
  });

  // On a busy machine Redis may seem to be away for a moment, and each counts by itself then: so tried again.
  const shareOneQuota = () =>
    until('the quota to be shared', async () => {
      service.seen.splice(0);
      const from = newAddress();
      const { quota } = LIMITS.registration.address;
      const answers = await askThrough(gateways, quota + 20, () => ({ from, path: 'register', body: {} }));
      expect(service.seen, 'who is refused troubles no service').toHaveLength(allowedOf(answers).length);
      return allowedOf(answers).length === quota ? answers : undefined;
    });

  test('share what whoever has no token may do, and refuse the next with what to do', async () => {
    const { quota, window } = LIMITS.anonymous;
    const answers = await until('the quota to be shared', async () => {
      const from = newAddress();
      const began = performance.now();
      const tried = await askThrough(gateways, quota + 200, () => ({ from, path: 'x' }));
      const givenBack = Math.ceil(((performance.now() - began) / 1_000) * (quota / window));
      const allowed = allowedOf(tried).length;
      return allowed >= quota && allowed <= quota + givenBack ? tried : undefined;
    });
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 429]));
    expect(allowedOf(answers).map(({ headers }) => headers.ratelimit)).toContain('"anonymous";r=599;t=1');
    for (const { code, headers } of refusedOf(answers)) {
      expect(code).toBe('rate-limited');
      expect(headers).toMatchObject({
        'content-type': expect.stringContaining('application/problem+json'),
        'retry-after': '1',
        'ratelimit-policy': '"anonymous";q=600;w=60',
        ratelimit: '"anonymous";r=0;t=60',
      });
    }
  });

  test('share what an address may register, to the last one', async () => {
    const answers = await shareOneQuota();
    expect(refusedOf(answers)).toHaveLength(20);
    // One comes back every 6 s, of which some are over where the machine is slow.
    expect(refusedOf(answers)[0]?.headers).toMatchObject({
      'retry-after': expect.stringMatching(/^[1-6]$/),
      'ratelimit-policy': '"anonymous";q=600;w=60, "registration";q=100;w=600',
      ratelimit: expect.stringMatching(/^"anonymous";r=\d+;t=\d+, "registration";r=0;t=(600|59[5-9])$/),
    });
  });

  test('count each by itself once Redis was killed, under load too: nobody is failed, and nobody is unlimited', async () => {
    const { quota, window } = LIMITS.registration.address;
    const begun = newAddress();
    const began = performance.now();
    const meanwhile: Answer[] = [];
    let isThere = true;
    const load = async (gateway: Gateway) => {
      for (let n = 0; n < 10 || isThere; n += 1)
        meanwhile.push(...(await askThrough([gateway], AT_ONCE, () => ({ from: begun, path: 'register', body: {} }))));
    };
    const loads = gateways.map(load);
    await until('some to be answered', () => meanwhile.length > 0);
    await server.kill();
    isThere = false;
    try {
      await Promise.all(loads);
      expect(new Set(meanwhile.map(({ status }) => status))).toEqual(new Set([200, 429]));
      const givenBack = Math.ceil(((performance.now() - began) / 1_000) * (quota / window));
      // What Redis counted, and each anew.
      expect(allowedOf(meanwhile).length).toBeLessThanOrEqual(3 * (quota + givenBack));

      const from = newAddress();
      for (const gateway of gateways) {
        const asked = performance.now();
        const answers = await askThrough([gateway], quota + 20, () => ({ from, path: 'register', body: {} }));
        const back = Math.floor(((performance.now() - asked) / 1_000) * (quota / window));
        expect(new Set(allowedOf(answers).map(({ status }) => status))).toEqual(new Set([200]));
        expect(allowedOf(answers).length).toBeGreaterThanOrEqual(quota);
        expect(allowedOf(answers).length).toBeLessThanOrEqual(quota + back);
        expect(refusedOf(answers)[0]).toMatchObject({
          code: 'rate-limited',
          headers: { 'retry-after': expect.stringMatching(/^[1-6]$/) },
        });
        expect((await gateway.http.inject('/health/ready')).statusCode).toBe(200);
      }
    } finally {
      await server.start();
    }
    await seeRedis(gateways);
    await shareOneQuota();
  });

  test('tell the user service behind them whose login it is, whatever a client says of itself', async () => {
    const user = await openUserService(limited());
    const doors = await open(user.url);
    try {
      await seeRedis([user.app, ...doors]);
      const { quota } = LIMITS.login.account;
      const [email, username] = ['ada@example.org', 'ada'];
      const owner = newAddress();
      const registered = await askThrough(doors.slice(0, 1), 1, () => ({
        from: owner,
        path: 'register',
        body: { email, username, password: PASSWORD },
      }));
      expect(registered).toMatchObject([{ status: 201 }]);
      const login = (from: string, password: string) => () => ({
        from,
        path: 'login',
        forwarded: `${owner}, ${newAddress()}`,
        body: { email, password },
      });
      await until('the quota to be kept', async () => {
        const from = newAddress();
        const guesses = await askThrough(doors, quota + 14, login(from, 'wrong password'));
        expect(new Set(guesses.map(({ status }) => status))).toEqual(new Set([401, 429]));
        expect(String(refusedOf(guesses)[0]?.headers['ratelimit-policy'])).toContain('"login-account";q=10;w=60');
        if (allowedOf(guesses).length !== quota) return false;
        // Also with the right one, at either door; on a slow machine some are given back before that, and it is tried anew.
        const right = await askThrough(doors, 2, login(from, PASSWORD));
        return right.every(({ status }) => status === 429);
      });
      expect(await askThrough(doors, 1, login(owner, PASSWORD))).toMatchObject([{ status: 200 }]);
    } finally {
      await close(doors);
      await user.close();
    }
  });
});

/** As `taskwire start user` is: its own process but for the process. */
const openUserService = async (environment: Readonly<Record<string, string>>) => {
  const database: TestDatabase = await createTestDatabase();
  const dataDir = path.join(tmpdir(), `taskwire-user-${randomUUID()}`);
  const config = parseConfig({ NODE_ENV: 'test', DATA_DIR: dataDir, PASSWORD_COST: '4', ...environment });
  const secrets = await readSecrets(config);
  const app = await buildProcess({
    config,
    masterKey: secrets.masterKey,
    shared: database.address,
    logger: createLogger('silent'),
    open: [userService(secrets)],
    counts: ['accounts'],
  });
  await app.start();
  return {
    app,
    url: await app.http.listen({ host: '127.0.0.1', port: 0 }),
    close: async () => {
      await app.close();
      await database.drop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
};
