import { afterEach, expect, test } from 'vitest';
import { createTokenVerifier } from '../auth/tokens.ts';
import { createLogger } from '../telemetry/logger.ts';
import { type HealthCheck, serveHealth } from './health.ts';
import { createHttpApp, type HttpApp } from './server.ts';

let http: HttpApp | undefined;
const open = async (check: HealthCheck): Promise<HttpApp> => {
  const verifier = createTokenVerifier(async () => ({ keys: [] }), 'https://tasks.example.org');
  http = await createHttpApp({ verifier, logger: createLogger('silent') });
  serveHealth(http, { 'db.task': check }, () => undefined);
  return http;
};
afterEach(() => http?.close());

test('however many ask, a part is looked at twenty times a second at the most', async () => {
  let looks = 0;
  const app = await open(async () => {
    looks += 1;
    return { status: 'ok' };
  });
  const began = performance.now();
  const paths = ['/health', '/health/db', '/health/ready'];
  await Promise.all(Array.from({ length: 1_000 }, (_, n) => app.inject({ url: paths[n % paths.length] ?? '' })));
  expect(looks).toBeGreaterThan(0);
  expect(looks).toBeLessThanOrEqual(2 + (performance.now() - began) / 50);
});

test('nobody is told what was seen before they asked', async () => {
  const [begun, looked] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let isWell = false;
  const app = await open(async () => {
    const status = isWell ? 'ok' : 'down';
    begun.resolve();
    await looked.promise;
    return { status };
  });
  const before = app.inject('/health');
  await begun.promise;
  isWell = true;
  const after = app.inject('/health');
  looked.resolve();
  expect([(await before).statusCode, (await after).statusCode]).toEqual([503, 200]);
});

test('who asks while a look hangs waits a second, and makes no other; whether it lives is told at once', async () => {
  let looks = 0;
  const app = await open(() => {
    looks += 1;
    return new Promise(() => undefined);
  });
  for (let n = 0; n < 2; n += 1)
    expect((await app.inject('/health/ready')).json().parts).toEqual({
      'db.task': { status: 'down', detail: 'no answer within a second' },
    });
  expect(looks).toBe(1);
  expect((await app.inject('/health/live')).statusCode).toBe(200);
});
