import { afterEach, describe, expect, test } from 'vitest';
import { exportRequest } from './otlp.ts';
import { samplerOf } from './trace-context.ts';
import { beginSpan, type FinishedSpan, recordTo, traced } from './tracing.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SAMPLED = `00-${TRACE}-00f067aa0ba902b7-01`;
const UNSAMPLED = `00-${TRACE}-00f067aa0ba902b7-00`;
const ids = Array.from({ length: 1_000 }, () => crypto.randomUUID().replaceAll('-', ''));

const recording = (sampler: Parameters<typeof samplerOf>[0] = 'parentbased_always_on', ratio = 1) => {
  const spans: FinishedSpan[] = [];
  recordTo({ sampler: samplerOf(sampler, ratio), take: (span) => void spans.push(span) });
  return spans;
};
afterEach(() => recordTo(undefined));

test('where nothing is recorded, what goes on carries on what came; a request has an id of its own all the same', () => {
  expect(beginSpan('inner', { parent: SAMPLED }).traceparent).toBe(SAMPLED);
  const { traceparent } = beginSpan('GET', { kind: 'server', parent: SAMPLED });
  expect(traceparent).toMatch(new RegExp(`^00-${TRACE}-(?!00f067aa0ba902b7)[0-9a-f]{16}-01$`));
});

test('a span lies below the one that it came of; what began the trace decides whether it is recorded', () => {
  const spans = recording();
  const outer = beginSpan('GET', { kind: 'server', parent: SAMPLED, tracestate: 'a=b' });
  beginSpan('inner', { parent: outer.traceparent }).end();
  outer.end();
  beginSpan('GET', { kind: 'server', parent: UNSAMPLED }).end();
  beginSpan('inner', { parent: UNSAMPLED }).end();
  const [inner, server] = spans;
  expect(spans).toHaveLength(2);
  expect(inner).toMatchObject({ name: 'inner', traceId: TRACE, parentId: server?.spanId });
  expect(server).toMatchObject({ parentId: '00f067aa0ba902b7', tracestate: 'a=b' });
});

test('a batch is a trace of its own, linked to what it came of, and recorded if any of that is', () => {
  const spans = recording();
  beginSpan('both', { links: [UNSAMPLED, SAMPLED, undefined, 'rubbish'] }).end();
  beginSpan('neither', { links: [UNSAMPLED] }).end();
  expect(spans).toMatchObject([{ name: 'both', parentId: undefined, links: [{ flags: '00' }, { flags: '01' }] }]);
  expect(spans[0]?.traceId).not.toBe(TRACE);
});

test('an error ends a span with its name, not with what it says, and is thrown on', async () => {
  const spans = recording();
  const failing = traced('failing', {}, () => Promise.reject(new RangeError('secret')));
  await expect(failing).rejects.toThrow('secret');
  expect(spans).toMatchObject([{ error: 'RangeError' }]);
  expect(exportRequest({}, spans)).not.toContain('secret');
});

describe('samplers', () => {
  const share = (...sampler: Parameters<typeof samplerOf>) =>
    ids.filter((id) => samplerOf(...sampler)(undefined, id)).length / ids.length;
  test.each([
    ['always_on', 0, 1],
    ['always_off', 1, 0],
    ['parentbased_always_off', 1, 0],
    ['traceidratio', 0, 0],
    ['parentbased_traceidratio', 1, 1],
  ] as const)('%s at %d', (name, ratio, expected) => expect(share(name, ratio)).toBe(expected));
  test('a quarter is about a quarter, and the same one in every process', () => {
    expect(share('traceidratio', 0.25)).toBeGreaterThan(0.15);
    expect(share('traceidratio', 0.25)).toBeLessThan(0.35);
    const [one, other] = [samplerOf('traceidratio', 0.25), samplerOf('parentbased_traceidratio', 0.25)];
    expect(ids.filter((id) => one(undefined, id) !== other(undefined, id))).toEqual([]);
  });
});

test('times are whole nanoseconds, numbers are typed', () => {
  const spans = recording();
  beginSpan('timed', { attributes: { text: 'a', count: 3, part: 0.5, missing: undefined } }).end();
  const [span] = JSON.parse(exportRequest({ 'service.name': 'x' }, spans)).resourceSpans[0].scopeSpans[0].spans;
  expect(span.startTimeUnixNano).toMatch(/^\d{19}$/);
  expect(BigInt(span.endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(span.startTimeUnixNano));
  expect(span.attributes).toEqual([
    { key: 'text', value: { stringValue: 'a' } },
    { key: 'count', value: { intValue: '3' } },
    { key: 'part', value: { doubleValue: 0.5 } },
  ]);
});
