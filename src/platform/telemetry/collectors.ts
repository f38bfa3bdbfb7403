/**
 * Figures that must be looked up: in a database, at a bus. Nobody's request waits for them, only whoever asks for /metrics,
 * and no longer than a second; ten who ask at once are answered by one look.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { gauges, registry } from './metrics.ts';

/** A figure, ready to be set: `() => gauges.copies.set(…)`. */
export type Reading = () => void;
/** Looks up figures. May reject: then they are missing this time, and `taskwire_collector_up` is 0. */
export type Collector = () => readonly Reading[] | Promise<readonly Reading[]>;

const DEADLINE = 1_000;
const FRESH = 1_000;

const collectors = new Map<symbol, { readonly name: string; readonly collect: Collector }>();
let last: { readonly at: number; readonly text: Promise<string> } | undefined;

/**
 * From now on asked when somebody asks for /metrics, under a name that several may share; until the answer is called.
 * What was told before either no longer counts: it says nothing of one that came, and too much of one that went.
 */
export const collecting = (name: string, collect: Collector): (() => void) => {
  const key = Symbol(name);
  collectors.set(key, { name, collect });
  last = undefined;
  return () => {
    collectors.delete(key);
    last = undefined;
  };
};

/** All figures of this process in Prometheus' text format, no older than a second. */
export const exposition = (): Promise<string> => {
  const now = performance.now();
  if (last === undefined || now - last.at > FRESH) last = { at: now, text: collect() };
  return last.text;
};

/** What comes too late is not set at all: it would be told as the figure of another moment. */
const collect = async (): Promise<string> => {
  const over = new AbortController();
  const late = pause(DEADLINE, undefined, { ref: false, signal: over.signal }).catch(() => undefined);
  const asked = [...collectors.values()];
  const answers = await Promise.all(asked.map(({ collect }) => Promise.race([readingsOf(collect), late])));
  over.abort();
  for (const gauge of Object.values(gauges)) {
    gauge.reset();
    gauge.remove({}); // without labels it would say 0 of what nobody looked up
  }
  const missed = new Set(asked.filter((_, n) => answers[n] === undefined).map(({ name }) => name));
  for (const { name } of asked) gauges.collectorUp.set({ collector: name }, missed.has(name) ? 0 : 1);
  for (const set of answers.flatMap((readings) => readings ?? [])) set();
  return registry.metrics();
};

/** undefined = it could not be asked; why stands in the log of whoever needs it for more than this. */
const readingsOf = async (collect: Collector): Promise<readonly Reading[] | undefined> => {
  try {
    return await collect();
  } catch {
    return undefined;
  }
};
