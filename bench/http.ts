/** The HTTP rows: the same requests to each service in turn, in rounds, so that the machine's noise hits all alike. */
import type { Server } from './postgres.ts';
import { type Cell, type Figure, grouped, median, notRun, percentile, type Row } from './report.ts';
import { type Job, type Sample, Subject } from './subject.ts';
import { TARGETS, type Target } from './targets.ts';

export interface HttpOptions {
  readonly only: (job: string) => boolean;
  readonly rounds: number;
  readonly seconds: number;
  readonly progress: (text: string) => void;
}

const JOBS: readonly { name: Job; what: string; aims: Partial<Record<Target['name'], string>> }[] = [
  { name: 'create', what: 'create a task', aims: { fastapi: '≥ 8 ×', emmett: '≥ 5 ×' } },
  { name: 'read', what: 'read one task', aims: { fastapi: '≥ 10 ×', emmett: '≥ 2 ×' } },
  { name: 'list', what: 'list the 20 newest', aims: { fastapi: '≥ 10 ×', emmett: '≥ 2 ×' } },
  { name: 'complete', what: 'complete a task', aims: {} },
];

export const HTTP_ROWS: readonly string[] = JOBS.map(({ name }) => name);

export async function httpRows(server: Server, folder: string, options: HttpOptions): Promise<Row[]> {
  const jobs = JOBS.filter(({ name }) => options.only(name));
  if (jobs.length === 0) return [];
  await using stack = new AsyncDisposableStack();
  const samples = new Map<string, Sample[]>();
  const failures = new Map<string, Cell>();
  const subjects: Subject[] = [];
  for (const target of TARGETS) {
    options.progress(`starting ${target.title}`);
    try {
      subjects.push(stack.use(await Subject.start(target, server, folder)));
    } catch (error) {
      for (const { name } of jobs) failures.set(`${name} ${target.name}`, notRun(error));
    }
  }
  for (let round = 0; round <= options.rounds; round++) {
    for (const { name, what } of jobs) {
      for (const subject of subjects) {
        const key = `${name} ${subject.target.name}`;
        if (failures.has(key)) continue;
        options.progress(`${round === 0 ? 'warm-up' : `round ${round}`}: ${what}, ${subject.target.title}`);
        try {
          const sample = await subject.measure(name, options.seconds);
          if (round > 0) samples.set(key, [...(samples.get(key) ?? []), sample]);
        } catch (error) {
          failures.set(key, notRun(error));
        }
      }
    }
  }
  const cell = (job: Job, target: Target): Cell => {
    const key = `${job} ${target.name}`;
    return failures.get(key) ?? figure(samples.get(key) ?? []);
  };
  const [ours, ...peers] = TARGETS;
  return jobs.flatMap(({ name, what, aims }) =>
    peers.map((peer) => ({
      what: `${what}, ${peer.title}`,
      ours: cell(name, ours),
      peer: cell(name, peer),
      aim: aims[peer.name] ?? '–',
    })),
  );
}

function figure(samples: readonly Sample[]): Figure {
  const latencies = samples.flatMap((sample) => sample.latencies);
  const perRequest = (cpu: (sample: Sample) => number) =>
    samples.reduce((sum, sample) => sum + cpu(sample), 0) / latencies.length;
  const detail = {
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
    serverCpu: perRequest((sample) => sample.serverCpu),
    postgresCpu: perRequest((sample) => sample.postgresCpu),
  };
  const value = median(samples.map(({ latencies, seconds }) => latencies.length / seconds));
  const times = `p50 ${detail.p50.toFixed(1)} p99 ${detail.p99.toFixed(1)} ms`;
  const text = `${grouped(value)}/s  ${times}  ${grouped(detail.serverCpu)}+${grouped(detail.postgresCpu)} µs`;
  return { value, text, detail };
}
