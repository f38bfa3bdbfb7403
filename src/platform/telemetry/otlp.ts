/** Spans in OTLP's JSON, as collectors read it at /v1/traces. Pure. */
import type { TraceContext } from './trace-context.ts';
import type { Attributes, FinishedSpan } from './tracing.ts';

const KINDS = { internal: 1, server: 2, client: 3, producer: 4, consumer: 5 } as const;
const FAILED = 2;

/** `resource` says whose spans they are: service.name and such. */
export const exportRequest = (resource: Attributes, spans: readonly FinishedSpan[]): string =>
  JSON.stringify({
    resourceSpans: [
      {
        resource: { attributes: keyValues(resource) },
        scopeSpans: [{ scope: { name: 'taskwire' }, spans: spans.map(spanOf) }],
      },
    ],
  });

const spanOf = ({ traceId, spanId, flags, parentId, tracestate, name, kind, ...span }: FinishedSpan) => ({
  traceId,
  spanId,
  flags: Number.parseInt(flags, 16),
  name,
  kind: KINDS[kind],
  ...(parentId !== undefined && { parentSpanId: parentId }),
  ...(tracestate !== undefined && { traceState: tracestate }),
  startTimeUnixNano: nanoseconds(span.began),
  endTimeUnixNano: nanoseconds(span.ended),
  attributes: keyValues({ ...span.attributes, ...(span.error !== undefined && { 'error.type': span.error }) }),
  ...(span.links.length > 0 && { links: span.links.map(linkOf) }),
  ...(span.error !== undefined && { status: { code: FAILED } }),
});
const linkOf = ({ traceId, spanId, flags }: TraceContext) => ({ traceId, spanId, flags: Number.parseInt(flags, 16) });

const keyValues = (attributes: Attributes) =>
  Object.entries(attributes).flatMap(([key, value]) => {
    if (value === undefined) return [];
    return [{ key, value: typeof value === 'number' ? numberValue(value) : { stringValue: value } }];
  });
const numberValue = (value: number) => (Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value });

/** ms with fractions as whole nanoseconds, which no number of ours holds. */
const nanoseconds = (ms: number): string => {
  const whole = Math.floor(ms);
  return `${whole}${String(Math.floor((ms - whole) * 1_000)).padStart(3, '0')}000`;
};
