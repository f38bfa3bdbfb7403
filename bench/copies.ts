/**
 * Creates with one, two and four copies of the task service behind a gateway, and whose CPU they take. On one machine all
 * copies share its cores with everything else: what this shows is what saturates, and what a copy more costs.
 */
import { availableParallelism } from 'node:os';
import type { Broker } from './broker.ts';
import { onBroker } from './broker.ts';
import { coresOf, cpuOf, rateOf } from './costs.ts';
import { type Installation, KINDS, startInstallation } from './distributed.ts';
import type { Options } from './options.ts';
import type { Server } from './postgres.ts';
import { sum } from './proc.ts';
import type { Cell, Figure, Row } from './report.ts';
import { Series } from './series.ts';
import type { Sample } from './subject.ts';

const COUNTS = [1, 2, 4] as const;
/** Of what there is to have, the share from which on it counts as used up. */
const USED_UP = 0.9;

export const copiesRows = (server: Server, folder: string, options: Options): Promise<Row[]> =>
  onBroker('copies', folder, (broker) => rowsOn({ server, broker, folder }, options));

const rowsOn = async (
  place: { readonly server: Server; readonly broker: Broker; readonly folder: string },
  options: Options,
): Promise<Row[]> => {
  options.progress('copies: starting the services');
  const installation = await startInstallation(place, 'copies');
  const rows: Row[] = [];
  let one: Cell | undefined;
  try {
    for (const copies of COUNTS) {
      const series = await measure(installation, copies, options);
      const ours = series.cell(([, ...samples]) => rateOf(samples));
      one ??= ours;
      const who = copies === 1 ? '1 copy' : `${copies} copies`;
      rows.push({ what: `creates, ${who} of the task service, 1 copy`, ours, peer: one });
      rows.push({ what: `  cores in use, ${who}`, ours: series.cell(([, ...samples]) => saturation(samples, copies)) });
      rows.push({ what: `  CPU of a create, ${who}`, ours: series.cell(([, ...samples]) => cpuOf(samples, KINDS)) });
    }
  } finally {
    await installation.close();
  }
  return rows;
};

const measure = async (
  installation: Installation,
  copies: number,
  { rounds, seconds, progress }: Options,
): Promise<Series<Sample>> => {
  while (installation.taskPorts.length < copies) await installation.addTask();
  const subject = installation.subjectAt(await installation.moveGateway());
  const series = new Series<Sample>();
  for (let round = 0; round <= rounds; round++) {
    progress(`copies: ${copies}, ${round === 0 ? 'warm-up' : `round ${round}`}`);
    await series.add(() => subject.measure('create', seconds));
  }
  return series;
};

/** A process of Node's has one core for all that it decides. */
const saturation = (samples: readonly Sample[], copies: number): Figure => {
  const cores = coresOf(samples, KINDS);
  const value = sum(cores.values());
  const parts = [...cores].map(([kind, used]) => `${kind} ${used.toFixed(2)}`).join(', ');
  const usedUp = [
    ...(value >= USED_UP * availableParallelism() ? ['the machine'] : []),
    ...((cores.get('gateway') ?? 0) >= USED_UP ? ['the gateway'] : []),
    ...((cores.get('task') ?? 0) >= USED_UP * copies ? ['the task service'] : []),
  ];
  const text = `${value.toFixed(2)} of ${availableParallelism()}: ${parts}; used up: ${usedUp.join(', ') || 'nothing'}`;
  return { value, text, detail: Object.fromEntries(cores) };
};
