/** Commits as spans of the traces that asked for them. */
import { beginSpan } from '../telemetry/tracing.ts';
import type { Commit } from './commit.ts';
import type { Executor } from './executor.ts';

/** One trace asked for it: then it goes on there. Several, as for a batch of a policy: then it is linked to each. */
export const tracedCommits = (service: string, executor: Executor): Executor => ({
  ...executor,
  commit: async (commit, deadline) => {
    const from = tracesOf(commit);
    if (from.length === 0) return executor.commit(commit, deadline);
    const span = beginSpan('append', {
      kind: 'client',
      ...(from.length === 1 ? { parent: from[0] } : { links: from }),
      attributes: { 'db.system.name': 'postgresql', 'db.operation.name': 'append', 'taskwire.service': service },
    });
    try {
      const verdict = await executor.commit(commit, deadline);
      span.set({ 'taskwire.verdict': verdict.verdict });
      span.end();
      return verdict;
    } catch (error) {
      span.end(error instanceof Error ? error.name : typeof error);
      throw error;
    }
  },
});

const tracesOf = ({ appends }: Commit): readonly string[] => {
  const all = appends.flatMap(({ events }) => events.flatMap(({ metadata }) => metadata.traceparent ?? []));
  return all.length > 1 ? [...new Set(all)] : all;
};
