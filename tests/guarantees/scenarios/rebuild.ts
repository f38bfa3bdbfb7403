/** Read models are made anew under load, killed half-way, made again, and compared with their streams. */
import { setTimeout as pause } from 'node:timers/promises';
import { atLeast, control, type Figures, NONE, scenario } from '../kit/scenario.ts';
import type { Installation } from '../kit/world.ts';
import { READ_MODELS_KEPT, readModelFigures } from '../load/read-models.ts';
import { ALL_KEPT, trial } from '../load/trial.ts';

const ROUNDS = { short: 1, full: 6 };
/** Inline ones, and those that are kept from the bus. */
const MODELS = {
  short: ['task_list', 'known_task'],
  full: ['task_list', 'mail_list', 'inbox_list', 'person', 'known_task'],
};
const FAIL_POINTS = ['rebuild-fill', 'rebuild-switch'];

export const rebuild = scenario('rebuild', {
  promise:
    'a read model that is rebuilt under writes, and killed half-way, is what its events say; nothing is sent twice',
  run: async (stage) => {
    const installation = await stage.world.install();
    return trial(stage, {
      installation,
      rest: 30,
      meanwhile: async () => {
        const figures = { 'rebuilds killed': 0, 'rebuilds done': 0, 'rebuilds that failed': 0 };
        await pause(3_000);
        for (let round = 0; round < ROUNDS[stage.form]; round += 1) {
          for (const [n, model] of MODELS[stage.form].entries()) {
            const failPoint = FAIL_POINTS[(round + n) % 2] ?? '';
            const ended = await rebuildOnce(installation, model, { FAIL_POINT: failPoint });
            if (ended.signal === 'SIGKILL') figures['rebuilds killed'] += 1;
            const again = await rebuildOnce(installation, model);
            if (again.code === 0) figures['rebuilds done'] += 1;
            else {
              figures['rebuilds that failed'] += 1;
              stage.report(again.output);
            }
          }
          stage.report(`round ${round + 1} of ${ROUNDS[stage.form]}`);
        }
        return figures;
      },
      afterwards: () => twins(installation, MODELS[stage.form]),
    });
  },
  bounds: (form) => ({
    ...ALL_KEPT,
    'rebuilds killed': atLeast(ROUNDS[form] * 2),
    'rebuilds done': atLeast(ROUNDS[form] * MODELS[form].length),
    'rebuilds that failed': NONE,
    ...READ_MODELS_KEPT,
    'mails taken twice': NONE,
  }),
  controls: [
    control('a copy that takes the place of the table without catching up', {
      shows: 'read models that differ',
      run: async (stage) => {
        const installation = await stage.world.install();
        return trial(stage, {
          installation,
          meanwhile: async () => {
            await pause(1_500);
            await installation.sql('create table task_service.naive_copy as table task_service.task_list');
            await pause(1_500);
            return {};
          },
          afterwards: async () => {
            await installation.sql('truncate task_service.task_list');
            await installation.sql('insert into task_service.task_list select * from task_service.naive_copy');
            return twins(installation, ['task_list']);
          },
        });
      },
    }),
  ],
});

const rebuildOnce = async (installation: Installation, model: string, env = {}) => {
  const run = installation.taskwire(['projections', 'rebuild', model], { env });
  return { ...(await run.exit), output: run.output() };
};

/** The live ones against a replay of their streams, and the mailbox, where a mail lies each time that it was sent. */
const twins = async (installation: Installation, models: readonly string[]): Promise<Figures> => {
  const [twice] = await installation.sql<{ count: number }>(
    'select (count(*) - count(distinct message_id))::integer as count from notification_service.dev_mailbox',
  );
  return { ...(await readModelFigures(installation, models)), 'mails taken twice': twice?.count ?? Number.NaN };
};
