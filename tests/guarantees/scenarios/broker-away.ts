/** The broker is killed under load and stays away: writes go on, and what they lead to is made up for once it is back. */
import { setTimeout as pause } from 'node:timers/promises';
import { atLeast, atMost, control, type Figures, scenario } from '../kit/scenario.ts';
import { distributed } from '../kit/world.ts';
import { madeUpFor } from '../load/effects.ts';
import { READ_MODELS_KEPT, readModelFigures } from '../load/read-models.ts';
import { PUBLISHED, publishedFigures } from '../load/records.ts';
import { acknowledgedSince } from '../load/storm.ts';
import { ALL_KEPT, trial } from '../load/trial.ts';
import { tally } from '../load/writers.ts';

const AWAY = { short: 15_000, full: 300_000 };
/** Before that it is killed so often, and begins again at once. */
const KILLS = { short: 1, full: 5 };
/** Fifty a second; in the short form, on a machine that does other things too, so many that it was under load. */
const WRITES = { short: 50, full: (50 * AWAY.full) / 1_000 };
const DRAINED = 60_000;

/** Publishes beside its commit, as templates do: see naive/publisher.ts. */
const publishesBeside = control('a service that publishes beside its commit', {
  shows: 'effects lost',
  run: async (stage) => {
    const world = distributed(stage.world);
    const { cluster, sql, address } = await world.install();
    await sql('create table public.naive_event (id serial primary key)');
    const env = { DATABASE: JSON.stringify(await address()), BOOTSTRAP: cluster.bootstrap };
    const publisher = world.program('tests/guarantees/naive/publisher.ts', [], { env });
    await publisher.said(/ready/);
    await pause(1_000);
    await cluster.nodes[0]?.kill();
    await pause(4_000);
    cluster.nodes[0]?.start();
    await cluster.ready();
    await pause(3_000);
    publisher.signal('SIGTERM');
    await publisher.exit;
    const [, published = 'NaN'] = /published (\d+)/.exec(publisher.output()) ?? [];
    const [stored] = await sql<{ count: number }>('select count(*)::integer as count from public.naive_event');
    return {
      'events stored': stored?.count ?? Number.NaN,
      'effects lost': (stored?.count ?? Number.NaN) - Number(published),
    };
  },
});

export const brokerAway = scenario('broker-away', {
  promise: 'a broker that is away costs no write; its backlog is made up for within a minute of its return, in order',
  topologies: ['distributed'],
  run: async (stage) => {
    const installation = await distributed(stage.world).install();
    const { cluster, sql } = installation;
    return trial(stage, {
      installation,
      writers: 4,
      rest: 80,
      patience: DRAINED,
      meanwhile: async ({ writers }): Promise<Figures> => {
        const [broker] = cluster.nodes;
        for (let kill = 1; kill <= KILLS[stage.form]; kill += 1) {
          await acknowledgedSince(writers);
          await pause(stage.chance.between(0, 2_000)); // at a random moment: what is awaited is none
          await broker?.kill();
          broker?.start();
          await cluster.ready();
          stage.report(`killed ${kill} of ${KILLS[stage.form]} times, ${writers.entries.length} commands`);
        }
        await broker?.kill();
        const since = tally(writers);
        await pause(AWAY[stage.form]);
        const meanwhile = since();
        stage.report(`${meanwhile['acknowledged meanwhile']} commands while the broker was away`);
        broker?.start();
        await cluster.ready();
        return {
          'brokers killed': KILLS[stage.form] + 1,
          ...meanwhile,
          'ms until the backlog was made up for': await madeUpFor(sql, DRAINED + 10_000),
        };
      },
      afterwards: async () => ({
        ...(await publishedFigures(installation)),
        ...(await readModelFigures(installation)),
      }),
    });
  },
  bounds: (form) => ({
    ...ALL_KEPT,
    ...PUBLISHED,
    ...READ_MODELS_KEPT,
    'brokers killed': atLeast(KILLS[form] + 1),
    'acknowledged meanwhile': atLeast(WRITES[form]),
    'of 1,000 writes failed': atMost(1),
    'ms until the backlog was made up for': atMost(DRAINED),
  }),
  controls: [publishesBeside],
});
