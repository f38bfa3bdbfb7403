/**
 * Spans of traces. Where a span goes on is said by a `traceparent`, which travels as requests and events do: in headers and
 * metadata. So nothing is looked up behind the scenes, and a process that records nothing hands on what it was handed.
 *
 * Recording belongs to the process, like what it counts (metrics.ts): it is switched on once, at the start.
 */
import { freshBytes } from '../keys/random.ts';
import { contextIn, isSampled, type Sampler, type TraceContext, traceparentOf } from './trace-context.ts';

/** Nothing personal, and no value that somebody typed. */
export type Attributes = Readonly<Record<string, string | number | undefined>>;
type SpanKind = 'internal' | 'server' | 'client' | 'producer' | 'consumer';
export type SpanOptions = {
  readonly kind?: SpanKind;
  /** The `traceparent` that it goes on from; without one, or one that is none, it begins a trace. */
  readonly parent?: string | undefined;
  /** The id of a trace that it begins. */
  readonly traceId?: string;
  readonly tracestate?: string | undefined;
  /** What a batch, or something much later, came of. Without a parent it is recorded if any of these is. */
  readonly links?: readonly (string | undefined)[];
  readonly attributes?: Attributes;
  /** false = never: what asks how a process is would fill every page. */
  readonly recorded?: boolean;
};
export type Span = {
  /** For whatever goes on from here. */
  readonly traceparent: string;
  set(attributes: Attributes): void;
  rename(name: string): void;
  /** Once; `error` is the name of what went wrong. */
  end(error?: string): void;
};
/** ms since 1970, with fractions. */
export type FinishedSpan = TraceContext & {
  name: string;
  attributes: Attributes;
  readonly kind: SpanKind;
  readonly parentId: string | undefined;
  readonly tracestate: string | undefined;
  readonly links: readonly TraceContext[];
  readonly began: number;
  ended: number;
  error: string | undefined;
};

export type Recorder = { readonly sampler: Sampler; readonly take: (span: FinishedSpan) => void };
let recorder: Recorder | undefined;
/** From now on; undefined = nothing. */
export const recordTo = (to: Recorder | undefined): void => {
  recorder = to;
};

/** So many links a span keeps; callers need not gather more. */
export const MOST_LINKS = 64;
const clock = (): number => performance.timeOrigin + performance.now();
const freshId = (bytes: 8 | 16): string => freshBytes(bytes).toString('hex');

/** Begins a span. Whoever calls ends it. Costs nothing to speak of where it is not recorded. */
export const beginSpan = (name: string, options: SpanOptions): Span => {
  const { kind = 'internal', links: linked = [] } = options;
  const parent = contextIn(options.parent);
  const to = recorder;
  if (to === undefined && kind !== 'server') return silent(options.parent ?? linked[0] ?? '');
  const links = to === undefined ? [] : linked.slice(0, MOST_LINKS).flatMap((one) => contextIn(one) ?? []);
  const traceId = parent?.traceId ?? options.traceId ?? freshId(16);
  const inherited = parent === undefined && linked.length > 0 ? links.some(isSampled) : undefined;
  const sampled = to !== undefined && options.recorded !== false && (inherited ?? to.sampler(parent, traceId));
  if (!sampled && kind !== 'server') return silent(options.parent ?? linked[0] ?? '');
  const flags = to === undefined ? (parent?.flags ?? '00') : sampled ? '01' : '00';
  const context = { traceId, spanId: freshId(8), flags };
  if (!sampled) return silent(traceparentOf(context));
  return recorded(to, {
    ...context,
    name,
    kind,
    links,
    parentId: parent?.spanId,
    tracestate: options.tracestate,
    attributes: options.attributes ?? {},
    began: clock(),
    ended: 0,
    error: undefined,
  });
};

const silent = (traceparent: string): Span => ({
  traceparent,
  set: () => undefined,
  rename: () => undefined,
  end: () => undefined,
});

const recorded = (to: Recorder, span: FinishedSpan): Span => ({
  traceparent: traceparentOf(span),
  set: (attributes) => {
    span.attributes = { ...span.attributes, ...attributes };
  },
  rename: (name) => {
    span.name = name;
  },
  end: (error) => {
    span.ended = clock();
    span.error = error;
    to.take(span);
  },
});

/** A span around something; an error ends it with its name, and is thrown on. */
export const traced = async <T>(name: string, options: SpanOptions, run: (span: Span) => Promise<T>): Promise<T> => {
  const span = beginSpan(name, options);
  try {
    const result = await run(span);
    span.end();
    return result;
  } catch (error) {
    span.end(error instanceof Error ? error.name : typeof error);
    throw error;
  }
};
