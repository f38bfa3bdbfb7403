/** The clock of the whole system jumps two days ahead under load, and then three hours back. */
import { globSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { newPerson } from '../../e2e/support/client.ts';
import type { Sql } from '../../support/sql.ts';
import { until } from '../../support/until.ts';
import { atLeast, atMost, NONE, scenario } from '../kit/scenario.ts';
import { acknowledgedSince } from '../load/storm.ts';
import { ALL_KEPT, trial } from '../load/trial.ts';

const LIBRARY = 'libfaketimeMT.so.1';
const findLibrary = (): string | undefined =>
  globSync([`/usr/lib/*/faketime/${LIBRARY}`, `/usr/lib/faketime/${LIBRARY}`])[0];

/** s after which what is to be done by itself is done. */
const JUMPS = { ahead: 2 * 86_400, back: 2 * 86_400 - 3 * 3_600 };
const QUIET = { short: 3_000, full: 20_000 };
const ALARMS = 20;

export const clockJumps = scenario('clock-jumps', {
  promise: 'a clock that jumps two days ahead or three hours back loses and doubles nothing; jobs and timers go on',
  topologies: ['embedded'], // the clock is that of one process and its database
  needs: { name: 'libfaketime', cure: 'apt-get install faketime', probe: findLibrary },
  run: async (stage) => {
    const folder = await mkdtemp(join(tmpdir(), 'taskwire-clock-'));
    const clock = join(folder, 'clock');
    const set = (seconds: number) => writeFile(clock, `${seconds < 0 ? '' : '+'}${seconds}\n`);
    await set(0);
    try {
      const faketime = {
        LD_PRELOAD: findLibrary() ?? '',
        FAKETIME_TIMESTAMP_FILE: clock,
        FAKETIME_NO_CACHE: '1',
        // Only what people set jumps; what counts since the machine's start does not.
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
      };
      const installation = await stage.world.install(faketime);
      const { sql } = installation;
      return await trial(stage, {
        installation,
        rest: 50,
        meanwhile: async ({ server, writers }) => {
          await acknowledgedSince(writers);
          const { ask } = await newPerson(server.url);
          const due = { at: new Date(Date.now() + 86_400_000).toISOString() };
          for (let n = 0; n < ALARMS; n += 1)
            await ask('POST', '/api/v1/tasks', { body: { title: `In a day ${n}`, due } });
          const naive = stage.world.program('tests/guarantees/naive/alarm.ts', [due.at], { env: faketime });
          await naive.said(/ready/);
          await pause(QUIET[stage.form]);
          await set(JUMPS.ahead);
          const afterAhead = await goesOn(sql, () => acknowledgedSince(writers, 15_000));
          stage.report('two days ahead');
          await pause(QUIET[stage.form]);
          await set(JUMPS.back);
          const afterBack = await goesOn(sql, () => acknowledgedSince(writers, 15_000));
          stage.report('three hours back');
          await pause(QUIET[stage.form]);
          const [rung] = await sql<{ count: number }>(
            `select count(*)::integer as count from task_service.event where type = 'task.overdue' and data ->> 'dueAt' = $1`,
            [due.at],
          );
          return {
            'timers of two days that rang': rung?.count ?? Number.NaN,
            'ms until all went on': Math.max(afterAhead, afterBack),
            'servers that ended': server.running() ? 0 : 1,
            'a naive timer beside it: missed': naive.output().includes('it rang') ? 0 : 1,
          };
        },
      });
    } finally {
      await stage.world.clear();
      await rm(folder, { recursive: true, force: true });
    }
  },
  bounds: () => ({
    ...ALL_KEPT,
    'timers of two days that rang': { atLeast: ALARMS, atMost: ALARMS },
    'ms until all went on': atMost(30_000),
    'servers that ended': NONE,
    acknowledged: atLeast(100),
    'a naive timer beside it: missed': atLeast(1),
  }),
  controls: [],
});

/** ms until a command is acknowledged, an effect follows and a mail is sent, all of them after now. */
const goesOn = async (sql: Sql, acknowledged: () => Promise<unknown>): Promise<number> => {
  const began = performance.now();
  const count = async () =>
    (
      await sql<{ effects: number; sent: number }>(
        `select count(*) filter (where type = 'notification.requested')::integer as effects,
           count(*) filter (where type = 'notification.sent')::integer as sent from notification_service.event`,
      )
    )[0] ?? { effects: 0, sent: 0 };
  const before = await count();
  await acknowledged();
  await until(
    'consumers and jobs to go on',
    async () => {
      const now = await count();
      return now.effects > before.effects + 5 && now.sent > before.sent + 2;
    },
    40_000,
  );
  return Math.round(performance.now() - began);
};
