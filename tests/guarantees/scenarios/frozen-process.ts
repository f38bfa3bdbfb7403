/** Two processes on one database; one is frozen past its leases, the other takes over, and the first wakes again. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Server } from '../../e2e/support/product.ts';
import { until } from '../../support/until.ts';
import { atLeast, atMost, scenario } from '../kit/scenario.ts';
import type { Installation } from '../kit/world.ts';
import { naiveFigures, startNaiveConsumer } from '../load/naive-consumer.ts';
import { ALL_KEPT, trial } from '../load/trial.ts';

const FREEZES = { short: 2, full: 8 };
/** ms: longer than any lease. */
const FROZEN = 28_000;
const FROZEN_BRIEFLY = 13_000;
const TAKEOVER = 30_000;

export const frozenProcess = scenario('frozen-process', {
  promise: 'a process that was frozen past its leases and wakes commits nothing that another has done meanwhile',
  run: async (stage) => {
    const { world, form, report } = stage;
    const installation = await world.install();
    let takeover = 0;
    return trial(stage, {
      installation,
      rest: 50,
      meanwhile: async ({ server: first, writers, people }) => {
        const second = await installation.join();
        const both = [first, second] as const;
        for (let n = 0; n < FREEZES[form]; n += 1) {
          const [frozen, other] = n % 2 === 0 ? both : [second, first];
          const naive = await startNaiveConsumer(world, installation);
          await pause(stage.chance.between(500, 1_500));
          for (const one of [writers, people]) one.moveTo(other.url);
          frozen.signal('SIGSTOP');
          naive.signal('SIGSTOP');
          const successor = await startNaiveConsumer(world, installation);
          takeover = Math.max(takeover, await followsAgain(installation));
          await pause(form === 'full' ? FROZEN : FROZEN_BRIEFLY - Math.min(takeover, FROZEN_BRIEFLY));
          for (const one of [frozen, naive]) one.signal('SIGCONT');
          await awake(frozen);
          for (const one of [writers, people]) one.moveTo(frozen.url); // it serves again, and is told of what it missed
          await pause(1_000);
          for (const one of [naive, successor]) one.signal('SIGKILL');
          report(`frozen ${n + 1} of ${FREEZES[form]} times`);
        }
        for (const one of [writers, people]) one.moveTo(first.url);
        const ended = both.filter((one) => !one.running()).length;
        return { 'times frozen': FREEZES[form], 'longest takeover, ms': takeover, 'servers that ended': ended };
      },
      afterwards: () => naiveFigures(installation),
    });
  },
  bounds: (form) => ({
    ...ALL_KEPT,
    'times frozen': atLeast(FREEZES[form]),
    'longest takeover, ms': atMost(TAKEOVER),
    'servers that ended': atMost(0),
    'a naive consumer beside it: doubled': atLeast(1),
  }),
  controls: [],
});

/** ms until something that was committed from now on has had its effect. */
const followsAgain = async ({ sql }: Installation): Promise<number> => {
  const began = performance.now();
  const [moment] = await sql<{ at: string }>('select clock_timestamp()::text as at');
  const followed = () =>
    sql(
      `select from notification_service.event n join task_service.event t on t.id::text = n.metadata ->> 'causationId'
       where t.recorded_at > $1 limit 1`,
      [moment?.at],
    );
  await until('somebody to take over', async () => (await followed()).length > 0, TAKEOVER + 10_000);
  return Math.round(performance.now() - began);
};

/** Once it answers, it has had its chance to commit what it was at. */
const awake = async ({ url }: Server): Promise<void> => {
  await until('it to wake', () =>
    fetch(`${url}/health/live`).then(
      ({ ok }) => ok,
      () => false,
    ),
  );
  await pause(1_000);
};
