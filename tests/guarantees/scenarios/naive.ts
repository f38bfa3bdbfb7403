/** The wrong systems that stand beside the right one. */
import { answering } from '../../e2e/support/product.ts';
import { type Control, control, type Stage } from '../kit/scenario.ts';
import type { StoredEvent } from '../load/ledger.ts';
import { type System, storm } from '../load/storm.ts';

/** A server whose commands are not what they should be, killed like ours: see naive/server.ts. */
export const naiveServer = (name: string, habit: string, shows: string): Control =>
  control(name, {
    shows,
    run: async ({ world, chance }: Stage) => {
      const { address, sql } = await world.emptyDatabase();
      const system: System = {
        start: (failPoint) =>
          answering(
            world.program('tests/guarantees/naive/server.ts', [], {
              env: {
                DATABASE: JSON.stringify(address),
                HABIT: habit,
                ...(failPoint && { FAIL_POINT: failPoint }),
              },
            }),
          ),
        person: async () => async () => 'nobody asks',
        stored: () =>
          sql<StoredEvent>('select task_id as "taskId", version, request_id as "requestId" from naive_event'),
      };
      const ends = [{ failPoint: '20' }, { after: chance.between(0, 300) }, { failPoint: '50' }];
      return storm(system, { ends });
    },
  });
