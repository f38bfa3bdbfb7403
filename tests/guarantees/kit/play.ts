/** Runs a scenario and its controls, and says what came of it: the same for the script and for `npm test`. */
import {
  type Bounds,
  type Control,
  type Figures,
  faultsIn,
  isInconclusive,
  type Scenario,
  type Stage,
} from './scenario.ts';

export type Outcome = {
  readonly name: string;
  readonly figures: Figures;
  readonly bounds: Bounds;
  /** In words; none when all holds, and every control was convicted. */
  readonly faults: readonly string[];
  /** In a word or two. */
  readonly verdict: 'held' | 'broken' | 'found out' | 'not found out';
  readonly seconds: number;
};

/** What a run is about may not come about in it: on a slow machine too little happens, and a fault is a matter of chance. */
const CHANCES = 3;

/** Runs again what had too little of what it was about; what was wrong once is wrong. */
export const play = async (scenario: Scenario, stage: Stage): Promise<Outcome> => {
  const bounds = scenario.bounds(stage.form, stage.world.topology);
  for (let chance = 1; ; chance += 1) {
    const outcome = await told(scenario.name, bounds, stage, scenario.run, (figures) => faultsIn(figures, bounds));
    const isHeld = outcome.faults.length === 0;
    if (isHeld || chance === CHANCES || !isInconclusive(outcome.figures, bounds))
      return { ...outcome, verdict: isHeld ? 'held' : 'broken' };
    stage.report(`too little happened: ${outcome.faults.join('; ')}; once more`);
  }
};

/** A control is at fault when nothing was found wrong with it, however often it was tried. */
export const playControl = async (scenario: Scenario, control: Control, stage: Stage): Promise<Outcome> => {
  for (let chance = 1; ; chance += 1) {
    const outcome = await playControlOnce(scenario, control, stage);
    if (outcome.verdict === 'found out' || chance === CHANCES) return outcome;
  }
};

const playControlOnce = async (scenario: Scenario, { name, shows, run }: Control, stage: Stage): Promise<Outcome> => {
  const { [shows]: bound } = scenario.bounds(stage.form, stage.world.topology);
  if (bound === undefined) throw new Error(`${scenario.name} says nothing of ${shows}`);
  const outcome = await told(`${scenario.name}: ${name}`, { [shows]: bound }, stage, run, (figures) => {
    if (Number.isNaN(figures[shows] ?? Number.NaN)) return [`${shows} was not measured`];
    const isConvicted = faultsIn(figures, { [shows]: bound }).length > 0;
    return isConvicted ? [] : [`it is wrong, and was not found out: ${shows} is ${figures[shows]}`];
  });
  return { ...outcome, verdict: outcome.faults.length === 0 ? 'found out' : 'not found out' };
};

const told = async (
  name: string,
  bounds: Bounds,
  stage: Stage,
  run: Scenario['run'],
  judge: (figures: Figures) => readonly string[],
): Promise<Omit<Outcome, 'verdict'>> => {
  const began = performance.now();
  const end = (figures: Figures, faults: readonly string[]) => ({
    name,
    figures,
    bounds,
    faults,
    seconds: Math.round((performance.now() - began) / 1000),
  });
  try {
    const figures = await run(stage);
    return end(figures, judge(figures));
  } catch (error) {
    // One that breaks is at fault; the others shall be run all the same.
    return end({}, [error instanceof Error ? (error.stack ?? error.message) : String(error)]);
  } finally {
    await stage.world.clear();
  }
};

/** The figures for people, a line each, with what must hold of them. */
export const inLines = ({ name, figures, bounds, faults, seconds }: Outcome): readonly string[] => [
  `${name} (${seconds} s)`,
  ...Object.entries(figures).map(([figure, value]) => {
    const held = bounds[figure];
    const said = held && [
      ...(held.atLeast === undefined ? [] : [`≥ ${held.atLeast}`]),
      ...(held.atMost === undefined ? [] : [held.atMost === 0 ? 'none' : `≤ ${held.atMost}`]),
    ];
    return `  ${figure.padEnd(44)}${String(value).padStart(9)}  ${said?.join(', ') ?? ''}`.trimEnd();
  }),
  ...faults.map((fault) => `  ✗ ${fault}`),
];
