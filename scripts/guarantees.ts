/**
 * npm run guarantees -- --topology embedded [--only NAME,…] [--short] [--list]: puts the promises to the test, with
 * figures, and with controls that must fail. Exit code 0 when every promise held and every control was found out, 1 when
 * not, 2 when it was asked for what there is not.
 */
import { parseArgs } from 'node:util';
import { chanceOf } from '../tests/guarantees/kit/chance.ts';
import { distributedWorld } from '../tests/guarantees/kit/distributed-world.ts';
import { embeddedWorld } from '../tests/guarantees/kit/embedded-world.ts';
import { inLines, type Outcome, play, playControl } from '../tests/guarantees/kit/play.ts';
import type { Scenario, Stage, Topology } from '../tests/guarantees/kit/scenario.ts';
import { SCENARIOS } from '../tests/guarantees/scenarios/index.ts';

const HELP = `npm run guarantees -- [--topology embedded|distributed] [--only NAME,…] [--short] [--seed N] [--list]

  --topology  embedded: one process on its own database, and where it takes two, two
              distributed: a process for each service behind a gateway, on PostgreSQL and Apache Kafka (needs Java)
  --only      the scenarios of these names
  --short     as npm test runs them
  --seed      repeats the random choices of a run
  --list      names the scenarios, and what each promises
`;

class Asked extends Error {
  override readonly name = 'Asked';
}

const readOptions = () => {
  const options = {
    topology: { type: 'string', default: 'embedded' },
    only: { type: 'string' },
    short: { type: 'boolean', default: false },
    seed: { type: 'string' },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  } as const;
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    throw new Asked(error instanceof Error ? error.message : String(error));
  }
};
type Options = ReturnType<typeof readOptions>;

const wanted = (values: Options): readonly Scenario[] => {
  const topology = topologyOf(values);
  if (values.seed !== undefined && !/^\d+$/.test(values.seed)) throw new Asked('--seed is a number');
  const names = values.only?.split(',');
  const unknown = names?.filter((name) => !SCENARIOS.some((one) => one.name === name)) ?? [];
  if (unknown.length > 0)
    throw new Asked(
      `there is no scenario ${unknown.join(', ')}: there are ${SCENARIOS.map(({ name }) => name).join(', ')}`,
    );
  const elsewhere = SCENARIOS.filter(
    ({ name, topologies }) => names?.includes(name) && !(topologies ?? TOPOLOGIES).includes(topology),
  );
  if (elsewhere.length > 0)
    throw new Asked(`${elsewhere.map(({ name }) => name).join(', ')} cannot be shown by the ${topology} topology`);
  return SCENARIOS.filter(
    ({ name, topologies = TOPOLOGIES }) => topologies.includes(topology) && (names?.includes(name) ?? true),
  );
};

const WORLDS = { embedded: embeddedWorld, distributed: distributedWorld } as const;
const TOPOLOGIES: readonly Topology[] = ['embedded', 'distributed'];
const topologyOf = ({ topology }: Options): Topology => {
  if (topology === 'embedded' || topology === 'distributed') return topology;
  throw new Asked(`there is no topology ${topology}: there are ${TOPOLOGIES.join(' and ')}`);
};

const run = async (scenarios: readonly Scenario[], values: Options): Promise<number> => {
  const world = WORLDS[topologyOf(values)]();
  const { seed } = chanceOf(values.seed === undefined ? undefined : Number(values.seed));
  const outcomes: Outcome[] = [];
  const notRun: string[] = [];
  const tell = (outcome: Outcome) => {
    outcomes.push(outcome);
    console.log(`\n${inLines(outcome).join('\n')}`);
  };
  console.log(`seed ${seed}`);
  try {
    for (const scenario of scenarios) {
      const { name, promise, needs, controls } = scenario;
      if (needs && needs.probe() === undefined) {
        notRun.push(`${name}: needs ${needs.name} (${needs.cure})`);
        continue;
      }
      process.stderr.write(`\n── ${name}: ${promise}\n`);
      const stage: Stage = {
        world,
        form: values.short ? 'short' : 'full',
        chance: chanceOf(seed),
        report: (line) => void process.stderr.write(`… ${line}\n`),
      };
      tell(await play(scenario, stage));
      for (const control of controls) tell(await playControl(scenario, control, stage));
    }
  } finally {
    await world.close();
  }
  console.log(`\n${summary(outcomes, notRun).join('\n')}`);
  const isRefused = notRun.length > 0 && process.env.CI !== undefined;
  return outcomes.every(({ faults }) => faults.length === 0) && !isRefused ? 0 : 1;
};

/** What most promises have in common; a dash where a scenario has no such figure. */
const COLUMNS = {
  attempted: 'attempted',
  acknowledged: 'acknowledged',
  lost: 'lost',
  duplicate: 'duplicate',
  effects: 'effects wanted',
  'of them lost': 'effects lost',
  doubled: 'effects doubled',
  'out of order': 'effects out of order',
  stuck: 'mails stuck',
} as const;

const summary = (outcomes: readonly Outcome[], notRun: readonly string[]): readonly string[] => {
  const heads = Object.keys(COLUMNS);
  const count = (wanted: Outcome['verdict']) => outcomes.filter(({ verdict }) => verdict === wanted).length;
  const widest = Math.max(10, ...outcomes.map(({ name }) => name.length));
  const line = (name: string, cells: readonly string[], remark: string) =>
    `${name.padEnd(widest)}  ${cells.map((cell, n) => cell.padStart((heads[n] ?? '').length)).join('  ')}  ${remark}`;
  return [
    line('scenario', heads, ''),
    ...outcomes.map(({ name, figures, verdict }) => {
      const cells = Object.values(COLUMNS).map((figure) => String(figures[figure] ?? '–'));
      return line(name, cells, verdict);
    }),
    ...notRun.map((one) => `not run: ${one}`),
    '',
    `${count('held')} held, ${count('broken')} broken, ${notRun.length} not run; controls: ${count('found out')} found out, ${count('not found out')} not`,
  ];
};

try {
  const values = readOptions();
  if (values.help) console.log(HELP);
  else if (values.list) for (const { name, promise } of SCENARIOS) console.log(`${name.padEnd(24)}${promise}`);
  else process.exitCode = await run(wanted(values), values);
} catch (error) {
  if (!(error instanceof Asked)) throw error;
  console.error(`guarantees: ${error.message}`);
  process.exitCode = 2;
}
