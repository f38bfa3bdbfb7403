/** A request and all that comes of it is one trace, as a collector reads it. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseConfig } from '../../src/platform/config/config.ts';
import { createLogger } from '../../src/platform/telemetry/logger.ts';
import { metrics } from '../../src/platform/telemetry/metrics.ts';
import { openTracing } from '../../src/platform/telemetry/span-export.ts';
import { beginSpan } from '../../src/platform/telemetry/tracing.ts';
import { startTestApp, type TestApp } from '../support/app.ts';
import { openReceiver, otlpReceiver, type ReceivedSpan } from '../support/otlp.ts';
import { until } from '../support/until.ts';

const silent = createLogger('silent');
const tracingTo = (url: string) =>
  openTracing(parseConfig({ NODE_ENV: 'test', OTEL_EXPORTER_OTLP_ENDPOINT: url }, 'gateway'), 'taskwire', silent);

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp();
});
afterAll(() => app.close());

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const register = (username: string, headers: Record<string, string> = {}) =>
  app.ask('POST', '/api/v1/auth/register', {
    headers,
    body: { email: `${username}@example.org`, username, password: 'correct horse battery' },
  });

otlpReceiver.describe('a collector', (executable) => {
  test('is told of the request, its command, the append, the policy, the job and the mail, each below what it came of', async () => {
    const receiver = await openReceiver(executable);
    const tracing = tracingTo(receiver.url);
    const traceparent = `00-${TRACE}-00f067aa0ba902b7-01`;
    expect((await register('traced', { traceparent, tracestate: 'a=b' })).status).toBe(201);
    const { spans } = receiver;
    const named = (name: string) => spans.find((span) => span.traceId === TRACE && span.name === name);
    await until('the mail to be told of', () => named('job mail'));
    await app.ask('GET', '/health/ready');
    await tracing.close();
    await receiver.stop();

    const path: ReceivedSpan[] = [];
    for (let span = named('send mail'); span; ) {
      const { parentSpanId } = span;
      path.unshift(span);
      span = spans.find(({ spanId }) => spanId === parentSpanId);
    }
    expect(path.map(({ name }) => name)).toEqual([
      'POST /api/v1/auth/register',
      'RegisterUser',
      'process user.created',
      'job mail',
      'send mail',
    ]);
    expect(path[0]).toMatchObject({
      parentSpanId: '00f067aa0ba902b7',
      traceState: 'a=b',
      service: 'taskwire',
      kind: 2,
    });
    expect(spans.filter(({ traceId, name }) => traceId === TRACE && name === 'append')).toHaveLength(3);
    const batch = spans.find(({ name }) => name === 'process user.events');
    expect(batch?.traceId).not.toBe(TRACE);
    expect(batch?.links).toMatchObject([{ traceId: TRACE, spanId: path[1]?.spanId }]);
    expect(spans.filter(({ name }) => name.includes('health'))).toEqual([]);
    expect(JSON.stringify(spans)).not.toContain('traced@');
    expect(JSON.stringify(spans)).not.toContain('correct horse');
  });
});

const dropped = async (): Promise<number> =>
  (await metrics.spans.get()).values.find(({ labels }) => labels.outcome === 'dropped')?.value ?? 0;

test('a collector that is away is nobody’s trouble: what does not fit is dropped and counted', async () => {
  const before = await dropped();
  const tracing = tracingTo('http://127.0.0.1:1');
  for (let n = 0; n < 6_000; n += 1) beginSpan('lost', {}).end();
  expect(await dropped()).toBeGreaterThan(before);
  expect((await register('untraced')).status).toBe(201);
  const began = performance.now();
  await tracing.close();
  expect(performance.now() - began).toBeLessThan(10_000);
});
