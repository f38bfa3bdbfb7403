/** Of two processes that may carry the tasks' events to the broker the one that does is killed or frozen, again and again. */
import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from '../../support/free-port.ts';
import { until } from '../../support/until.ts';
import { atLeast, atMost, control, type Figures, scenario } from '../kit/scenario.ts';
import { distributed } from '../kit/world.ts';
import { ONE_OF_EACH, staffed } from '../load/company.ts';
import { madeUpFor } from '../load/effects.ts';
import { PUBLISHED, publishedFigures } from '../load/records.ts';
import { acknowledgedSince } from '../load/storm.ts';
import { ALL_KEPT, trial } from '../load/trial.ts';

const KILLS = { short: 3, full: 15 };
const FREEZES = { short: 1, full: 4 };
/** In the end each of the two is killed so often, every few seconds, whoever leads just then. */
const RESTLESS = { short: 2, full: 8 };
/** ms: longer than the lease, and than an answer of the broker is waited for. */
const FROZEN = 18_000;
const TAKEOVER = 30_000;
const LEADER = `select holder, until::text from task_service.consumer_lease where consumer = 'relay' and source = 'task'`;

/** Two that share an outbox, of which one is frozen for a moment: see naive/relay.ts. */
const sharedOutbox = control('relays that share an outbox by skip locked', {
  shows: 'published out of order',
  run: async (stage) => {
    const world = distributed(stage.world);
    const installation = await world.install();
    const { sql, address, cluster } = installation;
    await sql(`create schema naive`);
    await sql(`create table naive.outbox as select id, 'naive' as key, id as version, 'task.events' as topic, false as sent
      from generate_series(1, 300) id`);
    const env = { DATABASE: JSON.stringify(await address()), BOOTSTRAP: cluster.bootstrap };
    const both = [1, 2].map(() => world.program('tests/guarantees/naive/relay.ts', [], { env }));
    await Promise.all(both.map((one) => one.said(/ready/)));
    both[0]?.signal('SIGSTOP');
    await pause(500);
    both[0]?.signal('SIGCONT');
    await until('all to be sent', async () => (await sql('select from naive.outbox where not sent')).length === 0);
    return publishedFigures(installation, 'naive.outbox');
  },
});

export const relays = scenario('relays', {
  promise:
    'a relay that is killed or frozen is succeeded within half a minute, loses nothing, and publishes nothing out of order',
  topologies: ['distributed'],
  run: async (stage) => {
    const { form, report, chance, world } = stage;
    const ports = [await freePort(), await freePort()];
    const TASK_SERVICE_URL = ports.map((port) => `http://127.0.0.1:${port}`).join(',');
    const copyOf = (n: number) => ({
      part: 'task' as const,
      env: { TASK_PORT: String(ports[n]), INSTANCE_ID: `task-${n}` },
    });
    const { installation, company } = staffed(await distributed(world).install({ TASK_SERVICE_URL }), {
      ...ONE_OF_EACH,
      gateway: { part: 'gateway', env: { TASK_SERVICE_URL } },
      task: copyOf(0),
    });
    const { sql } = installation;
    const lease = async () => (await sql<{ holder: string; until: string }>(LEADER))[0];
    const holder = async () => (await lease())?.holder;
    return trial(stage, {
      installation,
      writers: 4,
      rest: 80,
      meanwhile: async ({ writers }): Promise<Figures> => {
        const { at, begin, kill } = company();
        let [leading, other] = ['task', 'successor'];
        const before = await lease();
        await until('who is alone to lead', async () => (await lease())?.until !== before?.until, TAKEOVER);
        await begin(other, copyOf(1));
        let takeover = 0;
        /** Until another leads, and all that was stored by now has had its effects. */
        const succeeded = async (former: string | undefined): Promise<void> => {
          const began = performance.now();
          await until('another to lead', async () => (await holder()) !== former, TAKEOVER + 10_000);
          await madeUpFor(sql, TAKEOVER + 10_000);
          takeover = Math.max(takeover, Math.round(performance.now() - began));
          [leading, other] = [other, leading];
        };
        for (let n = 0; n < KILLS[form]; n += 1) {
          await acknowledgedSince(writers);
          await pause(chance.between(0, 2_000)); // at a random moment: what is awaited is none
          const former = await holder();
          await kill(leading);
          await succeeded(former);
          await begin(other);
          report(`killed ${n + 1} of ${KILLS[form]} times, ${writers.entries.length} commands`);
        }
        for (let n = 0; n < FREEZES[form]; n += 1) {
          await pause(chance.between(0, 2_000));
          const former = await holder();
          const frozen = at(leading);
          frozen.signal('SIGSTOP');
          const began = performance.now();
          await succeeded(former);
          await pause(Math.max(0, FROZEN - (performance.now() - began)));
          frozen.signal('SIGCONT');
          await acknowledgedSince(writers);
          await pause(3_000); // what it had under way comes about now
          report(`frozen ${n + 1} of ${FREEZES[form]} times, ${writers.entries.length} commands`);
        }
        for (let n = 0; n < RESTLESS[form]; n += 1)
          for (const name of [leading, other]) {
            await kill(name);
            await begin(name);
            await pause(chance.between(0, 2_000));
          }
        return {
          'relays killed': KILLS[form],
          'relays frozen': FREEZES[form],
          'killed without waiting for a takeover': 2 * RESTLESS[form],
          'longest takeover, ms': takeover,
          'ms until the backlog was made up for': await madeUpFor(sql, TAKEOVER + 10_000),
          'processes that ended by themselves': [leading, other].filter((name) => !at(name).running()).length,
        };
      },
      afterwards: () => publishedFigures(installation),
    });
  },
  bounds: (form) => ({
    ...ALL_KEPT,
    ...PUBLISHED,
    'relays killed': atLeast(KILLS[form]),
    'relays frozen': atLeast(FREEZES[form]),
    'killed without waiting for a takeover': atLeast(2 * RESTLESS[form]),
    'longest takeover, ms': atMost(TAKEOVER),
    'ms until the backlog was made up for': atMost(TAKEOVER),
    'processes that ended by themselves': atMost(0),
  }),
  controls: [sharedOutbox],
});
