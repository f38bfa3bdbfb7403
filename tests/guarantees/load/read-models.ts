/** Read models, each row compared with its stream: what a consumer missed, or heard twice, or in another order, shows there. */
import { type Bounds, type Figures, NONE } from '../kit/scenario.ts';
import type { Installation } from '../kit/world.ts';

/** Those that are kept from the bus, of every event that they hear. */
const HEARD = ['known_task', 'person'];

export const READ_MODELS_KEPT: Bounds = { 'read models that differ': NONE };

export const readModelFigures = async (
  { taskwire }: Pick<Installation, 'taskwire'>,
  models: readonly string[] = HEARD,
): Promise<Figures> => {
  const runs = models.map((model) => taskwire(['projections', 'verify', model]));
  const ends = await Promise.all(runs.map(({ exit }) => exit));
  for (const [n, { code }] of ends.entries()) if (code !== 0) console.error(runs[n]?.output());
  return { 'read models that differ': ends.filter(({ code }) => code !== 0).length };
};
