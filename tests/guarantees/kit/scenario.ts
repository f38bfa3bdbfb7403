/**
 * A scenario: a promise, a way to put it to the test, and what of the figures must hold. Beside it stand its controls,
 * wrong systems that the same figures must convict: a scenario whose controls pass proves nothing.
 */
import type { Chance } from './chance.ts';
import type { World } from './world.ts';

export type Topology = World['topology'];

/** short: what `npm test` can afford; full: what the promise says. */
type Form = 'short' | 'full';
export type Figures = Readonly<Record<string, number>>;
/** What must hold of a figure. One that nothing is said of is only printed: a speed, a count. */
export type Bound = { readonly atLeast?: number; readonly atMost?: number };
export type Bounds = Readonly<Record<string, Bound>>;

export const NONE: Bound = { atMost: 0 };
export const atLeast = (least: number): Bound => ({ atLeast: least });
export const atMost = (most: number): Bound => ({ atMost: most });

export type Stage = {
  readonly world: World;
  readonly form: Form;
  readonly chance: Chance;
  /** Progress, for whoever waits. */
  readonly report: (line: string) => void;
};
/** What a machine may lack. `probe` answers undefined where it does. */
type Need = { readonly name: string; readonly cure: string; readonly probe: () => unknown };
export type Control = {
  readonly name: string;
  /** The figure that must be out of its bound. */
  readonly shows: string;
  readonly run: (stage: Stage) => Promise<Figures>;
};
export type Scenario = {
  readonly name: string;
  readonly promise: string;
  readonly needs?: Need;
  /** Where it can be shown; by default in each. */
  readonly topologies?: readonly Topology[];
  readonly run: (stage: Stage) => Promise<Figures>;
  readonly bounds: (form: Form, topology: Topology) => Bounds;
  readonly controls: readonly Control[];
};

export const scenario = (name: string, rest: Omit<Scenario, 'name'>): Scenario => ({ name, ...rest });
export const control = (name: string, rest: Omit<Control, 'name'>): Control => ({ name, ...rest });

/** Whether a run had too little of what it was about, and is otherwise right: it proves nothing, and may be run again. */
export const isInconclusive = (figures: Figures, bounds: Bounds): boolean => {
  const atMosts = Object.entries(bounds).map(([name, { atMost }]) => [
    name,
    { ...(atMost !== undefined && { atMost }) },
  ]);
  return faultsIn(figures, bounds).length > 0 && faultsIn(figures, Object.fromEntries(atMosts)).length === 0;
};

/** What is wrong with the figures, in words; a figure that is missing is wrong too. */
export const faultsIn = (figures: Figures, bounds: Bounds): readonly string[] =>
  Object.entries(bounds).flatMap(([name, { atLeast, atMost }]) => {
    const value = figures[name] ?? Number.NaN;
    if (Number.isNaN(value)) return [`${name} was not measured`];
    if (atLeast !== undefined && value < atLeast) return [`${name}: ${value}, and at least ${atLeast} must be`];
    if (atMost !== undefined && value > atMost) return [`${name}: ${value}, and at most ${atMost} may be`];
    return [];
  });
