/** W3C Trace Context: which trace something belongs to, below which span, and whether it is recorded. Pure. */

export type TraceContext = { readonly traceId: string; readonly spanId: string; readonly flags: string };

const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/;
/** What a `traceparent` says; undefined where it is none. */
export const contextIn = (traceparent: unknown): TraceContext | undefined => {
  if (typeof traceparent !== 'string') return undefined;
  const [, traceId = '', spanId = '', flags = ''] = TRACEPARENT.exec(traceparent) ?? [];
  return traceId === '' ? undefined : { traceId, spanId, flags };
};
/** The header that says this (W3C Trace Context, version 00). */
export const traceparentOf = ({ traceId, spanId, flags }: TraceContext): string => `00-${traceId}-${spanId}-${flags}`;
/** Whether whoever began the trace records it. */
export const isSampled = ({ flags }: TraceContext): boolean => (Number.parseInt(flags, 16) & 1) === 1;

/** Whether a trace is recorded: by what its parent says, where it has one. */
export type Sampler = (parent: TraceContext | undefined, traceId: string) => boolean;
export const SAMPLERS = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const;

/** By the name that OpenTelemetry gives it; `ratio` is of those that draw lots. */
export const samplerOf = (name: (typeof SAMPLERS)[number], ratio: number): Sampler => {
  const isRoot = name.replace('parentbased_', '');
  const root: Sampler = (_parent, traceId) =>
    isRoot === 'always_on' || (isRoot === 'traceidratio' && lotOf(traceId) < ratio);
  if (!name.startsWith('parentbased_')) return root;
  return (parent, traceId) => (parent ? isSampled(parent) : root(parent, traceId));
};
/** 0 to 1, the same in every process: of a trace's last seven bytes, which are random also where the id is a UUID. */
const lotOf = (traceId: string): number => Number.parseInt(traceId.slice(-12), 16) / 2 ** 48;
