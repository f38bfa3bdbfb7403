/**
 * What it costs to be several processes: the HTTP rows through the gateway, with a process for each service on Apache
 * Kafka, beside the same requests sent to the task service itself, which is the hop, and beside the one process on the log
 * bus, which is all of it.
 */
import type { Broker } from './broker.ts';
import { onBroker } from './broker.ts';
import { startContestant } from './contestant.ts';
import { cpuOf, rateOf, timesOf } from './costs.ts';
import { KINDS, startInstallation } from './distributed.ts';
import type { Options } from './options.ts';
import type { Server } from './postgres.ts';
import { percentile, type Row } from './report.ts';
import { Series } from './series.ts';
import type { Job, Sample, Subject } from './subject.ts';
import { TARGETS } from './targets.ts';

const JOBS: readonly Job[] = ['create', 'read', 'list', 'complete'];
/** Of which the hop is timed when there is nothing else to do. */
const QUIET_JOBS: readonly Job[] = ['create', 'read'];
/** Those that a request is a part of; the load is the bench's own. */
const PAID = KINDS.filter((kind) => kind !== 'load');

type Way = {
  readonly subject: Subject;
  readonly busy: ReadonlyMap<Job, Series<Sample>>;
  readonly quiet: ReadonlyMap<Job, Series<Sample>>;
};

export const gatewayRows = (server: Server, folder: string, options: Options): Promise<Row[]> =>
  onBroker('gateway', folder, (broker) => rowsOn({ server, broker, folder }, options));

const rowsOn = async (
  place: { readonly server: Server; readonly broker: Broker; readonly folder: string },
  { rounds, seconds, progress }: Options,
): Promise<Row[]> => {
  await using running = new AsyncDisposableStack();
  progress('gateway: starting five processes, and one');
  const installation = running.adopt(await startInstallation(place, 'gateway'), (one) => one.close());
  const front = await installation.moveGateway();
  const [task = 0] = installation.taskPorts;
  const ways = {
    through: wayTo(installation.subjectAt(front)),
    directly: wayTo(installation.subjectAt(task)),
    alone: wayTo(await startContestant(TARGETS.ours, place.server, place.folder, running)),
  };
  for (let round = 0; round <= rounds; round++) {
    for (const job of JOBS) {
      progress(`gateway: ${round === 0 ? 'warm-up' : `round ${round}`}, ${job}`);
      for (const { subject, busy } of Object.values(ways))
        await busy.get(job)?.add(() => subject.measure(job, seconds));
    }
    for (const job of QUIET_JOBS) {
      for (const { subject, quiet } of [ways.through, ways.directly])
        await quiet.get(job)?.add(() => subject.measure(job, seconds, 1));
    }
  }
  return rowsOf(ways);
};

const wayTo = (subject: Subject): Way => ({
  subject,
  busy: new Map(JOBS.map((job) => [job, new Series<Sample>()])),
  quiet: new Map(QUIET_JOBS.map((job) => [job, new Series<Sample>()])),
});

const rowsOf = ({ through, directly, alone }: Readonly<Record<'through' | 'directly' | 'alone', Way>>): Row[] => {
  const cell = ({ busy }: Way, job: Job, figure: typeof rateOf) =>
    seriesOf(busy, job).cell(([, ...all]) => figure(all));
  const cpu = (samples: readonly Sample[]) => cpuOf(samples, PAID);
  return [
    ...JOBS.flatMap((job) => [
      {
        what: `${job} through the gateway, task service itself`,
        ours: cell(through, job, rateOf),
        peer: cell(directly, job, rateOf),
      },
      {
        what: `${job} through the gateway, one process`,
        ours: cell(through, job, rateOf),
        peer: cell(alone, job, rateOf),
      },
    ]),
    ...QUIET_JOBS.map((job) => hopRow(job, seriesOf(through.quiet, job), seriesOf(directly.quiet, job))),
    ...JOBS.map((job) => ({
      what: `${job}, CPU through the gateway, task service itself`,
      ours: cell(through, job, cpu),
      peer: cell(directly, job, cpu),
    })),
  ];
};

const seriesOf = (all: ReadonlyMap<Job, Series<Sample>>, job: Job): Series<Sample> => {
  const series = all.get(job);
  if (series === undefined) throw new Error(`${job} was not measured`);
  return series;
};

/** One request at a time: what the hop adds to it. */
const hopRow = (job: Job, through: Series<Sample>, directly: Series<Sample>): Row => {
  const below = { p50: Number.NaN, p99: Number.NaN };
  const peer = directly.cell(([, ...samples]) => {
    const figure = timesOf(samples);
    Object.assign(below, figure.detail);
    return figure;
  });
  const ours = through.cell(([, ...samples]) => {
    const latencies = samples.flatMap((sample) => sample.latencies);
    const [p50, p99] = [percentile(latencies, 0.5), percentile(latencies, 0.99)];
    const [more50, more99] = [p50 - below.p50, p99 - below.p99];
    const text = `${timesOf(samples).text}, ${more50.toFixed(2)} and ${more99.toFixed(2)} more`;
    return { value: p50, text, detail: { p50, p99, more50, more99 } };
  });
  return { what: `${job} at one connection through the gateway, task service itself`, ours, peer };
};
