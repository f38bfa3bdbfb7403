/** Each process is killed in turn under load, and begins again a moment later: it costs what it alone can do. */
import { setTimeout as pause } from 'node:timers/promises';
import { asking, newPerson } from '../../e2e/support/client.ts';
import { until } from '../../support/until.ts';
import { atLeast, atMost, control, type Figures, NONE, type Stage, scenario } from '../kit/scenario.ts';
import { distributed } from '../kit/world.ts';
import { ONE_OF_EACH, staffed } from '../load/company.ts';
import { madeUpFor } from '../load/effects.ts';
import { acknowledgedSince } from '../load/storm.ts';
import { ALL_KEPT, trial } from '../load/trial.ts';

const ROUNDS = { short: 1, full: 5 };
const AWAY = { short: 3_000, full: 10_000 };
const BREAKER = 10_000;
const MADE_UP_FOR = 60_000;
const SERVICES = ['user', 'task', 'notification'] as const;

/** What each service is asked by whoever only reads. */
const PAGES = { user: '/api/v1/me', task: '/api/v1/tasks?limit=1', notification: '/api/v1/inbox?limit=1' } as const;

/** Somebody who looks at the pages of some services, one after another, until told to stop. Answers how often in vain. */
const startReader = (url: string, token: string, services: readonly (typeof SERVICES)[number][]) => {
  let isOver = false;
  let [asked, failed] = [0, 0];
  const reading = (async () => {
    for (const ask = asking(url, token); !isOver; await pause(20)) {
      for (const service of services) {
        asked += 1;
        const answer = await ask('GET', PAGES[service]).catch(() => undefined);
        if (answer?.status !== 200) failed += 1;
      }
    }
  })();
  return {
    stop: async () => {
      isOver = true;
      await reading;
      return { asked, failed };
    },
  };
};

/** With readers of what `pagesWithout` says may be asked while a service is away. */
const killInTurn = async (
  stage: Stage,
  pagesWithout: (service: (typeof SERVICES)[number]) => readonly (typeof SERVICES)[number][],
  rounds: number,
): Promise<Figures> => {
  const { installation, company } = staffed(await distributed(stage.world).install(), ONE_OF_EACH);
  return trial(stage, {
    installation,
    writers: 4,
    rest: 80,
    meanwhile: async ({ writers }): Promise<Figures> => {
      const { url, begin, kill, reaches } = company();
      const { token, ask } = await newPerson(url);
      for (const page of Object.values(PAGES))
        await until(`${page} to be answered`, async () => (await ask('GET', page)).status === 200);
      let [asked, failed, writesFailed, missed, found, backlog] = [0, 0, 0, 0, 0, 0];
      /** ms, at the most `bound`. */
      const timeUntil = async (what: string, holds: () => Promise<boolean>, bound: number): Promise<number> => {
        const began = performance.now();
        await until(what, holds, bound);
        return Math.round(performance.now() - began);
      };

      const without = async (service: (typeof SERVICES)[number]): Promise<void> => {
        const reader = startReader(url, token, pagesWithout(service));
        const failures = writers.failures.length;
        await kill(service);
        missed = Math.max(
          missed,
          await timeUntil(`${service} to be missed`, async () => !(await reaches(service)), 30_000),
        );
        await pause(AWAY[stage.form]);
        const figures = await reader.stop();
        asked += figures.asked;
        failed += figures.failed;
        if (service !== 'task') writesFailed += writers.failures.length - failures;
        await begin(service);
        found = Math.max(found, await timeUntil(`${service} to be found again`, () => reaches(service), 30_000));
      };
      for (let round = 1; round <= rounds; round += 1) {
        for (const service of SERVICES) {
          await acknowledgedSince(writers);
          await pause(stage.chance.between(0, 1_000)); // at a random moment: what is awaited is none
          await without(service);
          backlog = Math.max(backlog, await madeUpFor(installation.sql, MADE_UP_FOR + 10_000));
        }
        await kill('gateway');
        await begin('gateway');
        await acknowledgedSince(writers);
        stage.report(`round ${round} of ${rounds}, ${writers.entries.length} commands`);
      }
      return {
        'processes killed': rounds * (SERVICES.length + 1),
        'asked of the others': asked,
        'of them failed': failed,
        'writes that failed without user or notification': writesFailed,
        'ms until it was missed': missed,
        'ms until it was found again': found,
        'ms until the backlog was made up for': backlog,
      };
    },
  });
};

export const parts = scenario('parts', {
  promise:
    'a service that is killed costs its own requests alone, is found again within 10 s of its return, and loses nothing',
  topologies: ['distributed'],
  run: (stage) => killInTurn(stage, (service) => SERVICES.filter((one) => one !== service), ROUNDS[stage.form]),
  bounds: (form) => ({
    ...ALL_KEPT,
    'processes killed': atLeast(ROUNDS[form] * (SERVICES.length + 1)),
    'asked of the others': atLeast(30),
    'of them failed': NONE,
    'writes that failed without user or notification': NONE,
    'ms until it was missed': atMost(BREAKER),
    'ms until it was found again': atMost(BREAKER),
    'ms until the backlog was made up for': atMost(MADE_UP_FOR),
  }),
  controls: [
    control('a page that is made of all services, or not at all', {
      shows: 'of them failed',
      run: (stage) => killInTurn(stage, () => SERVICES, 1),
    }),
  ],
});
