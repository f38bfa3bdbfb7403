/** The naive listener beside our consumers, at the same records: what it must do wrong for a scenario to prove anything. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Run } from '../../e2e/support/product.ts';
import type { Figures } from '../kit/scenario.ts';
import type { DistributedInstallation, DistributedWorld } from '../kit/world.ts';

/** Resolves once it hears what is new. */
export const startNaiveListener = async (
  world: DistributedWorld,
  installation: DistributedInstallation,
): Promise<Run> => {
  const { address, cluster } = installation;
  const env = { DATABASE: JSON.stringify(await address()), BOOTSTRAP: cluster.bootstrap };
  const run = world.program('tests/guarantees/naive/listener.ts', [], { env });
  await run.said(/ready/);
  return run;
};

export const LISTENER_DOUBLED = 'a naive listener beside it: doubled';
export const LISTENER_MISSED = 'a naive listener beside it: missed';

/** Once it hears nothing more: what it heard more than once, and what of all events of tasks it did not. */
export const listenerFigures = async ({ sql }: DistributedInstallation): Promise<Figures> => {
  const count = async (what: string) =>
    (await sql<{ count: number }>(`select (${what})::integer as count`))[0]?.count ?? Number.NaN;
  const heard = () => count('select count(*) from naive.heard');
  for (let [before, now] = [-1, await heard()]; now !== before; [before, now] = [now, await heard()])
    await pause(2_000);
  return {
    [LISTENER_DOUBLED]: await count('select count(*) - count(distinct event) from naive.heard'),
    [LISTENER_MISSED]: await count(
      `select count(*) from task_service.event e
       where topic = 'task.events' and not exists (select from naive.heard where event = e.id)`,
    ),
  };
};
