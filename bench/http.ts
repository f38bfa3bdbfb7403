/** The HTTP rows: the same requests to each service in turn, in rounds, so that the machine's noise hits all alike. */
import { startContestant } from './contestant.ts';
import type { Options } from './options.ts';
import type { Server } from './postgres.ts';
import { sum } from './proc.ts';
import { type Figure, grouped, median, percentile, type Row } from './report.ts';
import { Series } from './series.ts';
import type { Job, Sample } from './subject.ts';
import { TARGETS, type Target } from './targets.ts';

interface Contestant {
  readonly target: Target;
  readonly measure: (job: Job, seconds: number) => Promise<Sample>;
  readonly series: Readonly<Record<Job, Series<Sample>>>;
}

const JOBS: readonly { name: Job; what: string; aims: Readonly<Record<string, string>> }[] = [
  { name: 'create', what: 'create a task', aims: { FastAPI: '≥ 8 ×', Emmett: '≥ 5 ×' } },
  { name: 'read', what: 'read one task', aims: { FastAPI: '≥ 10 ×', Emmett: '≥ 2 ×' } },
  { name: 'list', what: 'list the 20 newest', aims: { FastAPI: '≥ 10 ×', Emmett: '≥ 2 ×' } },
  { name: 'complete', what: 'complete a task', aims: {} },
];

export async function httpRows(server: Server, folder: string, options: Options): Promise<Row[]> {
  const jobs = JOBS.filter(({ name }) => options.wanted(name));
  if (jobs.length === 0) return [];
  await using running = new AsyncDisposableStack();
  const ours = await enter(TARGETS.ours, server, folder, running, options);
  const peers: Contestant[] = [];
  for (const target of TARGETS.peers) peers.push(await enter(target, server, folder, running, options));

  for (let round = 0; round <= options.rounds; round++) {
    for (const { name, what } of jobs) {
      for (const { target, measure, series } of [ours, ...peers]) {
        options.progress(`${round === 0 ? 'warm-up' : `round ${round}`}: ${what}, ${target.name}`);
        await series[name].add(() => measure(name, options.seconds));
      }
    }
  }
  return jobs.flatMap(({ name, what, aims }) =>
    peers.map(({ target, series }) => ({
      what: `${what}, ${target.name}`,
      ours: ours.series[name].cell(figure),
      peer: series[name].cell(figure),
      aim: aims[target.name],
    })),
  );
}

/** Starts a service; one that does not start fails in each of its rows. */
async function enter(
  target: Target,
  server: Server,
  folder: string,
  running: AsyncDisposableStack,
  { progress }: Options,
): Promise<Contestant> {
  progress(`starting ${target.name}`);
  const series = { create: newSeries(), read: newSeries(), list: newSeries(), complete: newSeries() };
  try {
    const subject = await startContestant(target, server, folder, running);
    return { target, series, measure: (job, seconds) => subject.measure(job, seconds) };
  } catch (error) {
    return { target, series, measure: () => Promise.reject(error) };
  }
}

const newSeries = () => new Series<Sample>();

/** The first round was the warm-up. */
function figure([, ...samples]: readonly Sample[]): Figure {
  const latencies = samples.flatMap((sample) => sample.latencies);
  const detail = {
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
    serviceCpu: sum(samples.map(({ cpu }) => cpu.service ?? 0)) / latencies.length,
    postgresCpu: sum(samples.map(({ cpu }) => cpu.postgres ?? 0)) / latencies.length,
  };
  const value = median(samples.map((sample) => sample.latencies.length / sample.seconds));
  const times = `p50 ${detail.p50.toFixed(1)} p99 ${detail.p99.toFixed(1)} ms`;
  const cpu = `${grouped(detail.serviceCpu)}+${grouped(detail.postgresCpu)} µs`;
  return { value, text: `${grouped(value)}/s  ${times}  ${cpu}`, detail };
}
