/** Commands as they are seen from outside, from whatever door they come: counted by what became of them, and timed. */
import { metrics } from '../telemetry/metrics.ts';
import { Contended, type Withdrawn } from './outcome.ts';

/** What became of one: the kinds of an outcome, and of what was thrown. */
export type Ended =
  | { readonly kind: 'done'; readonly changed: boolean }
  | { readonly kind: 'rejected'; readonly code: string }
  | { readonly kind: 'stale' | 'seen' | 'in-flight' | 'contended' | 'failed' };
/** A command by its name in the domain, and how it ended. */
export type Decided = { readonly command: string; readonly ended: Ended };

/** Counts one that began at an instant of performance.now(). */
export const count = (service: string, { command, ended }: Decided, began: number): void => {
  const outcome = ended.kind === 'done' && !ended.changed ? 'unchanged' : ended.kind;
  metrics.commands.inc({ service, command, outcome });
  metrics.commandSeconds.observe({ service }, (performance.now() - began) / 1_000);
  if (ended.kind === 'rejected') metrics.rejections.inc({ service, command, code: ended.code });
};

/**
 * Runs a command of a service, and counts what became of it. What is done may be several commands in one commit: `plans`,
 * each counted by itself; whatever else happens to them happened to `command`. One that was withdrawn never was.
 */
export const observed = async <Outcome extends Ended | Withdrawn>(
  service: string,
  command: string,
  run: () => Promise<{ readonly outcome: Outcome; readonly plans: readonly Planned[] }>,
): Promise<Outcome> => {
  const began = performance.now();
  try {
    const { outcome, plans } = await run();
    if (outcome.kind === 'done') for (const { command, done } of plans) count(service, { command, ended: done }, began);
    else if (outcome.kind !== 'withdrawn') count(service, { command, ended: outcome }, began);
    return outcome;
  } catch (error) {
    count(service, { command, ended: { kind: error instanceof Contended ? 'contended' : 'failed' } }, began);
    throw error;
  }
};
type Planned = { readonly command: string; readonly done: Ended };
