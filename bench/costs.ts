/** Figures of requests: how many, how long, and whose CPU. */
import { sum } from './proc.ts';
import { type Figure, grouped, median, percentile } from './report.ts';
import type { Sample } from './subject.ts';

const latenciesOf = (samples: readonly Sample[]): readonly number[] => samples.flatMap(({ latencies }) => latencies);

export const timesOf = (samples: readonly Sample[]): Figure => {
  const latencies = latenciesOf(samples);
  const [p50, p99] = [percentile(latencies, 0.5), percentile(latencies, 0.99)];
  return { value: p50, text: `p50 ${p50.toFixed(2)} p99 ${p99.toFixed(2)} ms`, detail: { p50, p99 } };
};

export const rateOf = (samples: readonly Sample[]): Figure => {
  const value = median(samples.map(({ latencies, seconds }) => latencies.length / seconds));
  const { text, detail } = timesOf(samples);
  return { value, text: `${grouped(value)}/s  ${text}`, ...(detail && { detail }) };
};

/** Microseconds a request, with all that it led to; first in sum. */
export const cpuOf = (samples: readonly Sample[], kinds: readonly string[]): Figure => {
  const requests = latenciesOf(samples).length;
  const costs = kinds.map(
    (kind) => [kind, sum(samples.map(({ wholeCpu }) => wholeCpu[kind] ?? 0)) / requests] as const,
  );
  const value = sum(costs.map(([, cost]) => cost));
  const parts = costs.map(([kind, cost]) => `${kind} ${grouped(cost)}`).join(', ');
  return { value, text: `${grouped(value)} µs: ${parts}`, detail: Object.fromEntries(costs) };
};

/** How many cores each had while requests were under way. */
export const coresOf = (samples: readonly Sample[], kinds: readonly string[]): ReadonlyMap<string, number> => {
  const seconds = sum(samples.map((sample) => sample.seconds));
  return new Map(kinds.map((kind) => [kind, sum(samples.map(({ cpu }) => cpu[kind] ?? 0)) / 1e6 / seconds]));
};
