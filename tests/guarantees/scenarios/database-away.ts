/** The database is killed, stopped, frozen, cut off or full under a running server, which outlives it. */
import { setTimeout as pause } from 'node:timers/promises';
import { asking } from '../../e2e/support/client.ts';
import { signalAll, withChildren } from '../../e2e/support/processes.ts';
import { CUT, takeAllConnections } from '../../support/sql.ts';
import { until } from '../../support/until.ts';
import { atLeast, atMost, type Bounds, type Figures, NONE, scenario } from '../kit/scenario.ts';
import { distributed } from '../kit/world.ts';
import { NAIVE_SERVER_ENDED, naiveServerSlow, startNaiveServer } from '../load/naive-server.ts';
import { acknowledgedSince } from '../load/storm.ts';
import { ALL_KEPT, trial, type Under } from '../load/trial.ts';

const AGAIN = 10_000;
/** What it costs at the most: an answer within 5 s, and nothing 10 s after its return. */
const BOUNDED: Bounds = {
  ...ALL_KEPT,
  'slowest answer, ms': atMost(5_000),
  'ms until served again': atMost(AGAIN),
  'answered with 503': atLeast(1), // it was really away
  'databases not well': NONE, // by then
  'servers that ended': NONE,
};
const costs = async ({ server, writers }: Under, servedAfter: number): Promise<Figures> => ({
  'slowest answer, ms': Math.round(writers.slowest()),
  'ms until served again': Math.round(servedAfter),
  'databases not well': await databasesNotWell(server.url, AGAIN - servedAfter),
  'servers that ended': server.running() ? 0 : 1,
});
/** As health says of each service's; after `bound` ms, as many as are not yet. */
const databasesNotWell = async (url: string, bound: number): Promise<number> => {
  for (const began = performance.now(); ; await pause(100)) {
    const left = await notWellNow(url);
    if (left === 0 || performance.now() - began > bound) return left;
  }
};
/** NaN where it says nothing. */
const notWellNow = async (url: string): Promise<number> => {
  const answer = await asking(url)('GET', '/health').catch(() => undefined);
  const parts = Object.entries((answer?.body?.parts ?? {}) as Readonly<Record<string, { readonly status: string }>>);
  const databases = parts.filter(([name]) => name.startsWith('db.'));
  return databases.length < 3 ? Number.NaN : databases.filter(([, { status }]) => status !== 'ok').length;
};

const MURDERS = { short: 5, full: 12 };
export const databaseKilled = scenario('database-killed', {
  promise:
    'killing the database under a running server loses, doubles and reorders nothing, and costs 503 for a moment',
  run: async (stage) =>
    trial(stage, {
      meanwhile: async (under) => {
        const { installation, writers } = under;
        const naive = await startNaiveServer(stage, installation);
        const times = MURDERS[stage.form];
        let slowest = 0;
        for (let kill = 1; kill <= times; kill += 1) {
          await acknowledgedSince(writers);
          await pause(stage.chance.between(0, 600)); // at a random moment: what is awaited is none
          const before = await installation.postmaster();
          signalAll([before], 'SIGKILL');
          await until('the database to be back', async () => {
            const isNew = (await installation.postmaster()) !== before;
            return isNew && (await installation.sql('select 1').catch(() => undefined));
          });
          slowest = Math.max(slowest, await acknowledgedSince(writers, 10_000));
          stage.report(`killed ${kill} of ${times} times, ${writers.entries.length} commands`);
        }
        return { kills: times, ...(await costs(under, slowest)), ...(await naive.stop()) };
      },
    }),
  bounds: (form) => ({ ...BOUNDED, ...NAIVE_SERVER_ENDED, kills: atLeast(MURDERS[form]) }),
  controls: [],
});

const STOPPED = { short: 8_000, full: 60_000 };
export const databaseStopped = scenario('database-stopped', {
  promise:
    'a database server that is away for a minute costs every process 503 within 5 s, and nothing 10 s after its return',
  topologies: ['distributed'], // the one process ends with its own
  run: async (stage) => {
    const installation = await distributed(stage.world).install();
    return trial(stage, {
      installation,
      meanwhile: async (under) => {
        const naive = await startNaiveServer(stage, installation);
        await acknowledgedSince(under.writers);
        await installation.database.stop();
        await pause(STOPPED[stage.form]);
        await installation.database.begin();
        const again = await acknowledgedSince(under.writers, 15_000);
        await pause(1_000); // under load once more
        return { 'ms stopped': STOPPED[stage.form], ...(await costs(under, again)), ...(await naive.stop()) };
      },
    });
  },
  bounds: () => ({ ...BOUNDED, ...NAIVE_SERVER_ENDED }),
  controls: [],
});

const FROZEN = { short: 8_000, full: 30_000 };
export const databaseFrozen = scenario('database-frozen', {
  promise: 'a database that hangs for half a minute costs 503 within 5 s, and nothing is lost, doubled or out of order',
  run: async (stage) =>
    trial(stage, {
      meanwhile: async (under) => {
        const { installation, writers } = under;
        const naive = await startNaiveServer(stage, installation);
        await acknowledgedSince(writers);
        const processes = await withChildren(await installation.postmaster());
        signalAll(processes, 'SIGSTOP');
        try {
          await pause(FROZEN[stage.form]);
        } finally {
          signalAll(processes, 'SIGCONT');
        }
        const again = await acknowledgedSince(writers, 15_000);
        await pause(1_000); // under load once more
        return { 'ms frozen': FROZEN[stage.form], ...(await costs(under, again)), ...(await naive.stop()) };
      },
    }),
  bounds: () => ({ ...BOUNDED, ...naiveServerSlow(5_001) }),
  controls: [],
});

const CUTS = { short: 20, full: 120 };
export const connectionsCut = scenario('connections-cut', {
  promise: 'cutting every connection to the database again and again loses, doubles and reorders nothing',
  run: async (stage) =>
    trial(stage, {
      meanwhile: async (under) => {
        const naive = await startNaiveServer(stage, under.installation);
        let cut = 0;
        for (let n = 0; n < CUTS[stage.form]; n += 1) {
          await pause(stage.chance.between(0, 300));
          cut += (await under.installation.sql(CUT)).length;
        }
        const again = await acknowledgedSince(under.writers, 15_000);
        return { 'connections cut': cut, ...(await costs(under, again)), ...(await naive.stop()) };
      },
    }),
  bounds: (form) => {
    const { 'answered with 503': _most_are_mended_unseen, ...bounds } = BOUNDED;
    return { ...bounds, ...NAIVE_SERVER_ENDED, 'connections cut': atLeast(CUTS[form]) };
  },
  controls: [],
});

const FULL = { short: 4_000, full: 30_000 };
export const connectionsUsedUp = scenario('connections-used-up', {
  promise: 'a database that gives no connection any more costs 503 within 5 s, and nothing 10 s after it gives some',
  run: async (stage) =>
    trial(stage, {
      meanwhile: async (under) => {
        const naive = await startNaiveServer(stage, under.installation);
        await acknowledgedSince(under.writers);
        const taken = await takeAllConnections(await under.installation.address());
        try {
          await pause(FULL[stage.form]);
        } finally {
          await Promise.all(taken.map((client) => client.end()));
        }
        const again = await acknowledgedSince(under.writers, 15_000);
        await pause(1_000);
        return { 'connections taken': taken.length, ...(await costs(under, again)), ...(await naive.stop()) };
      },
    }),
  bounds: () => ({ ...BOUNDED, ...NAIVE_SERVER_ENDED, 'connections taken': atLeast(50) }),
  controls: [],
});
