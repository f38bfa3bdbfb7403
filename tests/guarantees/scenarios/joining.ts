/** Copies of the notification service come and go every few seconds under load: who reads which events changes all the time. */
import { setTimeout as pause } from 'node:timers/promises';
import { atLeast, atMost, type Figures, NONE, scenario } from '../kit/scenario.ts';
import { distributed } from '../kit/world.ts';
import { ONE_OF_EACH, staffed } from '../load/company.ts';
import { madeUpFor } from '../load/effects.ts';
import { NAIVE_CONSUMER_WRONG, naiveFigures, startNaiveConsumer } from '../load/naive-consumer.ts';
import { READ_MODELS_KEPT, readModelFigures } from '../load/read-models.ts';
import { acknowledgedSince } from '../load/storm.ts';
import { ALL_KEPT, trial } from '../load/trial.ts';

const CHANGES = { short: 8, full: 40 };
const COPIES = ['second', 'third'] as const;
const MADE_UP_FOR = 60_000;

export const joining = scenario('joining', {
  promise:
    'consumers may join and leave all the time: nothing is skipped, doubled or out of order, and nothing stays behind',
  topologies: ['distributed'],
  run: async (stage) => {
    const { form, chance, report } = stage;
    const { world } = stage;
    const { installation, company } = staffed(await distributed(world).install(), ONE_OF_EACH);
    return trial(stage, {
      installation,
      writers: 4,
      rest: 80,
      meanwhile: async ({ writers }): Promise<Figures> => {
        const { at, begin, kill } = company();
        const there = new Set<string>();
        let [joins, kills, stops, failures] = [0, 0, 0, 0];
        let naive = await startNaiveConsumer(world, installation);
        const join = async (name: string): Promise<void> => {
          const env = { NOTIFICATION_PORT: '0', INSTANCE_ID: `notification-${name}` };
          await begin(name, { part: 'notification', env });
          there.add(name);
          joins += 1;
        };
        const leave = async (name: string): Promise<void> => {
          naive.signal('SIGKILL');
          naive = await startNaiveConsumer(world, installation);
          there.delete(name);
          if (kills < stops) {
            kills += 1;
            return kill(name);
          }
          stops += 1;
          at(name).signal('SIGTERM');
          if ((await at(name).exit).code !== 0) failures += 1;
        };
        for (let change = 1; change <= CHANGES[form]; change += 1) {
          await acknowledgedSince(writers);
          const name = COPIES[chance.between(0, COPIES.length - 1)] ?? 'second';
          await (there.has(name) ? leave(name) : join(name));
          await pause(chance.between(500, 4_000)); // within a change of the group, or after it
          report(`${change} of ${CHANGES[form]} changes, ${writers.entries.length} commands`);
        }
        for (const name of there) await leave(name);
        return {
          'copies that joined': joins,
          'copies stopped': stops,
          'copies killed': kills,
          'copies that did not end with 0': failures,
          'ms until the backlog was made up for': await madeUpFor(installation.sql, MADE_UP_FOR + 10_000),
        };
      },
      afterwards: async () => ({ ...(await naiveFigures(installation)), ...(await readModelFigures(installation)) }),
    });
  },
  bounds: (form) => ({
    ...ALL_KEPT,
    ...READ_MODELS_KEPT,
    ...NAIVE_CONSUMER_WRONG,
    'copies that joined': atLeast(CHANGES[form] / 2),
    'copies stopped': atLeast(1),
    'copies killed': atLeast(1),
    'copies that did not end with 0': NONE,
    'ms until the backlog was made up for': atMost(MADE_UP_FOR),
  }),
  controls: [],
});
