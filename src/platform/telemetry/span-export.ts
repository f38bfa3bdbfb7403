/**
 * Carries finished spans to a collector, in batches, one request at a time. Nothing ever waits for it: what the queue does
 * not hold, and what the collector does not take in three tries, is dropped and counted.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Config } from '../config/config.ts';
import { collecting } from './collectors.ts';
import type { Logger } from './logger.ts';
import { gauges, metrics } from './metrics.ts';
import { exportRequest } from './otlp.ts';
import { samplerOf } from './trace-context.ts';
import { type FinishedSpan, recordTo } from './tracing.ts';

const QUEUE = 4_096;
const BATCH = 512;
const EVERY = 2_000;
const TIMEOUT = 5_000;
const TRIES = 3;
/** ms that the end of a process waits for what is left. */
const LAST = 1_500;

export type Tracing = { close(): Promise<void> };
type Settings = Pick<
  Config,
  | 'OTEL_EXPORTER_OTLP_ENDPOINT'
  | 'OTEL_EXPORTER_OTLP_HEADERS'
  | 'OTEL_SERVICE_NAME'
  | 'OTEL_TRACES_SAMPLER'
  | 'OTEL_TRACES_SAMPLER_ARG'
  | 'INSTANCE_ID'
>;

/** Records from now on what this process does, where a collector is named; `name` is how the process is called there. */
export const openTracing = (settings: Settings, name: string, logger: Logger): Tracing => {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, INSTANCE_ID: instance } = settings;
  if (endpoint === undefined) return { close: async () => undefined };
  const url = `${endpoint.replace(/\/$/, '')}/v1/traces`;
  const headers = { ...headersIn(settings.OTEL_EXPORTER_OTLP_HEADERS), 'content-type': 'application/json' };
  const resource = { 'service.name': settings.OTEL_SERVICE_NAME ?? name, 'service.instance.id': instance };
  const stopping = new AbortController();
  let queue: FinishedSpan[] = [];
  let sending: Promise<void> | undefined;
  let isAway = false;

  const tell = (away: boolean, error?: unknown): void => {
    if (away === isAway) return;
    isAway = away;
    if (away) logger.warn('spans cannot be exported; what does not fit is dropped', { error });
    else logger.info('spans are exported again');
  };
  const post = async (body: string): Promise<void> => {
    const answer = await fetch(url, { method: 'POST', headers, body, signal: AbortSignal.timeout(TIMEOUT) });
    await answer.body?.cancel();
    if (!answer.ok) throw new Error(`the collector answered ${answer.status}`);
  };
  const send = async (batch: readonly FinishedSpan[]): Promise<void> => {
    const body = exportRequest(resource, batch);
    for (let attempt = 1; ; attempt += 1) {
      try {
        await post(body);
        metrics.spans.inc({ outcome: 'exported' }, batch.length);
        return tell(false);
      } catch (error) {
        tell(true, error);
        if (attempt === TRIES || stopping.signal.aborted) break;
        await pause(500 * 2 ** attempt, undefined, { signal: stopping.signal }).catch(() => undefined);
      }
    }
    metrics.spans.inc({ outcome: 'failed' }, batch.length);
  };
  /** Until nothing is left; who asks while it is under way waits for the same. */
  const flush = (): Promise<void> => {
    sending ??= (async () => {
      while (queue.length > 0) await send(queue.splice(0, BATCH));
    })().finally(() => {
      sending = undefined;
    });
    return sending;
  };

  recordTo({
    sampler: samplerOf(settings.OTEL_TRACES_SAMPLER, settings.OTEL_TRACES_SAMPLER_ARG),
    take: (span) => {
      if (queue.length >= QUEUE) return metrics.spans.inc({ outcome: 'dropped' });
      queue.push(span);
      if (queue.length === BATCH) void flush();
    },
  });
  const timer = setInterval(() => void flush(), EVERY).unref();
  const stopCollecting = collecting('tracing', () => [() => gauges.spanQueue.set(queue.length)]);
  return {
    close: async () => {
      recordTo(undefined);
      clearInterval(timer);
      stopCollecting();
      stopping.abort();
      await Promise.race([flush(), pause(LAST, undefined, { ref: false })]);
      queue = [];
    },
  };
};

/** `key=value,other=value`, encoded as in an address. */
const headersIn = (text = ''): Readonly<Record<string, string>> =>
  Object.fromEntries(
    text.split(',').flatMap((pair) => {
      const cut = pair.indexOf('=');
      return cut < 1 ? [] : [[pair.slice(0, cut).trim(), decodeURIComponent(pair.slice(cut + 1).trim())]];
    }),
  );
