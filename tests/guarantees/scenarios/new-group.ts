/** The notification service begins for the first time behind thousands of events: it hears all of them, in order, once. */
import { setTimeout as pause } from 'node:timers/promises';
import { atLeast, atMost, type Figures, scenario } from '../kit/scenario.ts';
import { distributed } from '../kit/world.ts';
import { ONE_OF_EACH, staffed } from '../load/company.ts';
import { madeUpFor } from '../load/effects.ts';
import { LISTENER_MISSED, listenerFigures, startNaiveListener } from '../load/naive-listener.ts';
import { ALL_KEPT, trial } from '../load/trial.ts';

const BEHIND = { short: 2_000, full: 10_000 };
/** ms: so long it may take for each 1,000 of them. */
const A_THOUSAND = 30_000;

export const newGroup = scenario('new-group', {
  promise: 'a consumer that begins behind thousands of events has the effect of each of them, once and in order',
  topologies: ['distributed'],
  run: async (stage) => {
    const { notification, ...others } = ONE_OF_EACH;
    const world = distributed(stage.world);
    const { installation, company } = staffed(await world.install(), others);
    const behind = async (): Promise<number> => {
      const [row] = await installation.sql<{ count: number }>(
        `select (select count(*) from task_service.event)::integer + (select count(*) from user_service.event)::integer as count`,
      );
      return row?.count ?? 0;
    };
    return trial(stage, {
      installation,
      writers: 12,
      patience: (A_THOUSAND * BEHIND.full) / 1_000,
      meanwhile: async (): Promise<Figures> => {
        let events = await behind();
        for (; events < BEHIND[stage.form]; events = await behind()) {
          stage.report(`${events} events of ${BEHIND[stage.form]}`);
          await pause(2_000);
        }
        await Promise.all([company().begin('notification', notification), startNaiveListener(world, installation)]);
        const ms = await madeUpFor(installation.sql, (A_THOUSAND * events) / 1_000);
        return {
          'events behind which it began': events,
          'ms until it had caught up': ms,
          'events a second, under load': Math.round((1_000 * events) / Math.max(1, ms)),
        };
      },
      afterwards: () => listenerFigures(installation),
    });
  },
  bounds: (form) => ({
    ...ALL_KEPT,
    'events behind which it began': atLeast(BEHIND[form]),
    [LISTENER_MISSED]: atLeast(BEHIND[form] / 2),
    'ms until it had caught up': atMost((A_THOUSAND * BEHIND[form]) / 1_000),
  }),
  controls: [],
});
