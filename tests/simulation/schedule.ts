/** One schedule, from its seed: faults for a while, then none until all is done, or too much time has passed. */
import { random } from '../support/random.ts';
import { type Config, drawConfig } from './config.ts';
import { undone } from './liveness.ts';
import { startAll } from './processes.ts';
import { type AnyRule, createWorld, type Planted } from './world.ts';

type Violation = { readonly rule: AnyRule; readonly text: string };
export type Report = {
  readonly violation: Violation | undefined;
  readonly steps: number;
  readonly calmSteps: number;
  /** What went wrong in it, and how often. */
  readonly happened: ReadonlyMap<string, number>;
  readonly trace: readonly string[];
  readonly config: Config;
};
type Options = {
  readonly seed: number;
  /** Its number among those of a seed. */
  readonly number: number;
  readonly planted?: Planted;
  readonly config?: (drawn: Config) => Config;
  readonly tracing?: boolean;
};

/** Steps within which everything must be done once the faults have ended. */
const PATIENCE = 6_000;
const LOOK_EVERY = 25;

export const runSchedule = async ({
  seed,
  number,
  planted = {},
  config = (drawn) => drawn,
  tracing = false,
}: Options): Promise<Report> => {
  const dice = random(Math.imul(seed, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca6b));
  const drawn = config(drawConfig(dice));
  const counts = new Map<string, number>();
  const trace: string[] = [];
  let violation: Violation | undefined;
  let now = () => 0;
  const note = (text: () => string) => {
    if (tracing) trace.push(`${String(now()).padStart(7)}  ${text()}`);
  };
  const world = createWorld({
    random: dice,
    config: drawn,
    planted,
    note,
    happened: (what) => counts.set(what, (counts.get(what) ?? 0) + 1),
    fail: (rule, text) => {
      violation ??= { rule, text };
      note(() => `VIOLATED: ${rule}: ${text}`);
    },
  });
  const { scheduler } = world;
  now = scheduler.now;
  startAll(world);
  while (violation === undefined && scheduler.steps() < drawn.steps) await scheduler.step();
  world.calm();
  const from = scheduler.steps();
  while (violation === undefined) {
    await scheduler.step();
    const steps = scheduler.steps() - from;
    if (steps % LOOK_EVERY !== 0) continue;
    const left = undone(world);
    if (left.length === 0) break;
    // What an operator typed may come late: whoever retires a consumer that runs starts its processes anew.
    if (left.some((text) => text.includes('is not registered'))) world.calm();
    if (steps >= PATIENCE) violation ??= { rule: 'all is done once the faults have ended', text: left.join('; ') };
  }
  const steps = scheduler.steps();
  return { violation, steps, calmSteps: steps - from, happened: counts, trace, config: drawn };
};
