/**
 * Creates with one, two and four copies of the task service behind a gateway, and whose CPU they take. On one machine all
 * copies share its cores with everything else: that shows what saturates, and what a copy more costs. What a copy more
 * brings is seen where it brings CPU of its own: each has a tenth of a core, and no more.
 */
import { availableParallelism } from 'node:os';
import type { Broker } from './broker.ts';
import { onBroker } from './broker.ts';
import { coresOf, cpuOf, rateOf } from './costs.ts';
import { type Installation, KINDS, startInstallation } from './distributed.ts';
import type { Options } from './options.ts';
import type { Server } from './postgres.ts';
import { sum } from './proc.ts';
import type { Figure, Row } from './report.ts';
import { Series } from './series.ts';
import type { Sample } from './subject.ts';

const COUNTS = [1, 2, 4] as const;
type Way = {
  readonly how: string;
  /** Cores that a copy may use; one of Node's uses one for all that it decides. */
  readonly each: number;
};
const SHARING: Way = { how: 'all share the machine', each: 1 };
/** Four of these need less than half a core, so that all others find what they need beside. */
const APART: Way = { how: 'a tenth of a core each', each: 0.1 };
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
  const measured: Measured[] = [];
  try {
    for (const copies of COUNTS) measured.push(...(await measure(installation, copies, options)));
  } finally {
    await installation.close();
  }
  return [SHARING, APART].flatMap((way) => rowsAbout(measured.filter((one) => one.way === way)));
};

type Measured = { readonly way: Way; readonly copies: number; readonly series: Series<Sample> };

const measure = async (
  installation: Installation,
  copies: number,
  { rounds, seconds, progress }: Options,
): Promise<readonly Measured[]> => {
  while (installation.taskPorts.length < copies) await installation.addTask();
  const subject = installation.subjectAt(await installation.moveGateway());
  const sample = (what: string) => {
    progress(`copies: ${copies}, ${what}`);
    return subject.measure('create', seconds);
  };
  const [sharing, apart] = [new Series<Sample>(), new Series<Sample>()];
  await sample('warm-up');
  for (let round = 1; round <= rounds; round++) await sharing.add(() => sample(`round ${round}`));
  for (let round = 1; round <= rounds; round++) {
    await apart.add(async () => {
      using _ = installation.limitTasks(APART.each);
      return await sample(`${APART.how}, round ${round}`);
    });
  }
  return [
    { way: SHARING, copies, series: sharing },
    { way: APART, copies, series: apart },
  ];
};

const rowsAbout = (measured: readonly Measured[]): readonly Row[] => {
  const one = measured[0]?.series.cell(rateOf);
  return measured.flatMap(({ way, copies, series }) => {
    const who = `${copies} ${copies === 1 ? 'copy' : 'copies'}, ${way.how}`;
    return [
      { what: `creates, ${who}, 1 copy`, ours: series.cell(rateOf), ...(one && { peer: one }) },
      { what: `  cores in use, ${who}`, ours: series.cell((samples) => saturation(samples, copies * way.each)) },
      { what: `  CPU of a create, ${who}`, ours: series.cell((samples) => cpuOf(samples, KINDS)) },
    ];
  });
};

/** Given how many cores all copies together may use. */
const saturation = (samples: readonly Sample[], ofCopies: number): Figure => {
  const cores = coresOf(samples, KINDS);
  const value = sum(cores.values());
  const parts = [...cores].map(([kind, used]) => `${kind} ${used.toFixed(2)}`).join(', ');
  const usedUp = [
    ...(value >= USED_UP * availableParallelism() ? ['the machine'] : []),
    ...((cores.get('gateway') ?? 0) >= USED_UP ? ['the gateway'] : []),
    ...((cores.get('task') ?? 0) >= USED_UP * ofCopies ? ['the task service'] : []),
  ];
  const text = `${value.toFixed(2)} of ${availableParallelism()}: ${parts}; used up: ${usedUp.join(', ') || 'nothing'}`;
  return { value, text, detail: Object.fromEntries(cores) };
};
