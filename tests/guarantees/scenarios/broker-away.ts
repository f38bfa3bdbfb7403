/** The broker is killed under load and stays away: writes go on, and what they lead to is made up for once it is back. */
import { setTimeout as pause } from 'node:timers/promises';
import { atLeast, atMost, control, type Figures, scenario } from '../kit/scenario.ts';
import { distributed } from '../kit/world.ts';
import { madeUpFor } from '../load/effects.ts';
import { acknowledgedSince } from '../load/storm.ts';
import { ALL_KEPT, trial } from '../load/trial.ts';

const AWAY = { short: 15_000, full: 300_000 };
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
        await acknowledgedSince(writers);
        await cluster.nodes[0]?.kill();
        const [before, refusals] = [writers.entries.length, writers.statuses.get(503) ?? 0];
        await pause(AWAY[stage.form]);
        const written = writers.entries.slice(before).filter(({ answered }) => answered === 'acknowledged').length;
        const failed = (writers.statuses.get(503) ?? 0) - refusals;
        stage.report(`${written} commands while the broker was away`);
        cluster.nodes[0]?.start();
        await cluster.ready();
        return {
          'acknowledged while it was away': written,
          'of 1,000 writes not acknowledged': Math.round((1_000 * failed) / Math.max(1, written + failed)),
          'ms until the backlog was made up for': await madeUpFor(sql, DRAINED + 10_000),
        };
      },
    });
  },
  bounds: () => ({
    ...ALL_KEPT,
    'acknowledged while it was away': atLeast(50),
    'of 1,000 writes not acknowledged': atMost(1),
    'ms until the backlog was made up for': atMost(DRAINED),
  }),
  controls: [publishesBeside],
});
