/** The naive consumer beside ours, at the same events: what it must do wrong for a scenario to prove anything. */
import type { Run } from '../../e2e/support/product.ts';
import { atLeast, type Bounds, type Figures } from '../kit/scenario.ts';
import type { Installation, World } from '../kit/world.ts';

export const NAIVE_CONSUMER_WRONG: Bounds = {
  'a naive consumer beside it: lost': atLeast(1),
  'a naive consumer beside it: doubled': atLeast(1),
};

/** Begins; it is to be killed with what it stands beside. */
export const startNaiveConsumer = async (
  world: World,
  installation: Installation,
  env: Readonly<Record<string, string>> = {},
): Promise<Run> =>
  world.program('tests/guarantees/naive/consumer.ts', [], {
    env: { DATABASE: JSON.stringify(await installation.address()), ...env },
  });

/** How many events one that insists has not got beyond. */
export const leftBehind = async ({ sql }: Installation): Promise<Figures> => {
  const [row] = await sql<{ count: number }>(
    `select count(*)::integer as count from task_service.event
     where position > (select at from naive.position where habit = 'insists')`,
  );
  return { [LEFT_BEHIND]: row?.count ?? Number.NaN };
};
export const LEFT_BEHIND = 'a naive consumer beside it: left behind';

/** What was lost is counted up to where it stands. */
export const naiveFigures = async ({ sql }: Installation): Promise<Figures> => {
  const [row] = await sql<{ lost: number; doubled: number }>(`
    select (select count(*)::integer from task_service.event e
        where position <= (select at from naive.position where habit = 'moves-first')
          and not exists (select from naive.effect where habit = 'moves-first' and event = e.id)) as lost,
      (select count(*)::integer - count(distinct event)::integer from naive.effect where habit = 'acts-first') as doubled`);
  return {
    'a naive consumer beside it: lost': row?.lost ?? Number.NaN,
    'a naive consumer beside it: doubled': row?.doubled ?? Number.NaN,
  };
};
