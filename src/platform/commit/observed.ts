/** A command as it is seen from outside: counted by what became of it, timed, and a span of the trace that asked for it. */
import { metrics } from '../telemetry/metrics.ts';
import { beginSpan } from '../telemetry/tracing.ts';
import { inTrace } from './caused.ts';
import { Contended, type Outcome } from './outcome.ts';
import type { CommandContext } from './plan.ts';

/** Runs one command of a service; `command` is its name, as the domain calls it. */
export const observed = async <R, Code extends string>(
  service: string,
  command: string,
  context: CommandContext,
  run: (context: CommandContext) => Promise<Outcome<R, Code>>,
): Promise<Outcome<R, Code>> => {
  const began = performance.now();
  const span = beginSpan(command, {
    parent: context.traceparent,
    attributes: { 'taskwire.service': service, 'taskwire.command': command },
  });
  const count = (outcome: string): void => {
    span.set({ 'taskwire.outcome': outcome });
    metrics.commands.inc({ service, command, outcome });
    metrics.commandSeconds.observe({ service }, (performance.now() - began) / 1_000);
  };
  try {
    const outcome = await run(inTrace(context, span));
    count(outcome.kind === 'done' && !outcome.changed ? 'unchanged' : outcome.kind);
    if (outcome.kind === 'rejected') metrics.rejections.inc({ service, command, code: outcome.code });
    span.end();
    return outcome;
  } catch (error) {
    count(error instanceof Contended ? 'contended' : 'failed');
    span.end(error instanceof Error ? error.name : typeof error);
    throw error;
  }
};
