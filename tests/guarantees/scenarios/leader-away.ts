/** Of three brokers the one that leads is killed under load, again and again: what two have acknowledged is kept. */
import { setTimeout as pause } from 'node:timers/promises';
import { ProduceAcks, Producer } from '@platformatic/kafka';
import { clientOptions } from '../../../src/platform/event-bus/kafka/client.ts';
import { openFetcher } from '../../../src/platform/event-bus/kafka/fetcher.ts';
import { readAll } from '../../../src/platform/event-bus/kafka/tail.ts';
import { atLeast, atMost, control, type Figures, scenario } from '../kit/scenario.ts';
import { type DistributedInstallation, distributed } from '../kit/world.ts';
import { inSync, leaderOf } from '../load/brokers.ts';
import { madeUpFor } from '../load/effects.ts';
import { PUBLISHED, publishedFigures } from '../load/records.ts';
import { acknowledgedSince } from '../load/storm.ts';
import { ALL_KEPT, trial } from '../load/trial.ts';
import { tally } from '../load/writers.ts';

const TOPIC = 'task.events';
const KILLS = { short: 2, full: 8 };
const MADE_UP_FOR = 60_000;
/** ms for which the leader is alone before it is killed: less than it takes the others to be missed. */
const ALONE = 3_000;
const AWAY = 5_000;

/** What it has acknowledged while the others were frozen, it alone has. Answers once the node is back and has all. */
const murder = async ({ cluster }: DistributedInstallation): Promise<void> => {
  const leader = await leaderOf(cluster, TOPIC);
  const others = cluster.nodes.filter((node) => node !== leader);
  for (const node of others) node.freeze();
  await pause(ALONE);
  await leader.kill();
  for (const node of others) node.resume();
  await pause(AWAY);
  leader.start();
  await cluster.ready();
  await inSync(cluster, TOPIC);
};

/** Asks for the leader's word alone, as many clients do by default. */
const believesTheLeader = control('a producer that believes the leader alone', {
  shows: 'effects lost',
  run: async (stage) => {
    const installation = await distributed(stage.world).install({}, { brokers: 3 });
    const settings = { bootstrapServers: installation.cluster.bootstrap.split(',') };
    const producer = new Producer({ ...clientOptions(settings, 'naive'), idempotent: false });
    let acknowledged = 0;
    let isOver = false;
    const producing = (async () => {
      while (!isOver) {
        const message = { topic: TOPIC, key: Buffer.from('naive'), value: Buffer.from(String(acknowledged)) };
        const sent = await producer.send({ messages: [message], acks: ProduceAcks.LEADER }).catch(() => undefined);
        if (sent) acknowledged += 1;
        await pause(5);
      }
    })();
    await pause(1_000);
    await murder(installation);
    isOver = true;
    await producing;
    const fetcher = openFetcher(settings, 'onlooker');
    let there = 0;
    for await (const { records } of readAll(fetcher, [TOPIC])) there += records.length;
    await Promise.all([producer.close(true), fetcher.close()]);
    return { 'events published': acknowledged, 'effects lost': Math.max(0, acknowledged - there) };
  },
});

export const leaderAway = scenario('leader-away', {
  promise: 'of three brokers the leader may be killed: no write fails, and nothing that was acknowledged is lost',
  topologies: ['distributed'],
  run: async (stage) => {
    const installation = await distributed(stage.world).install({}, { brokers: 3 });
    return trial(stage, {
      installation,
      writers: 4,
      rest: 80,
      patience: MADE_UP_FOR,
      meanwhile: async ({ writers }): Promise<Figures> => {
        await acknowledgedSince(writers);
        const since = tally(writers);
        let slowest = 0;
        for (let kill = 1; kill <= KILLS[stage.form]; kill += 1) {
          await murder(installation);
          slowest = Math.max(slowest, await madeUpFor(installation.sql, MADE_UP_FOR + 10_000));
          stage.report(`killed ${kill} of ${KILLS[stage.form]} times, ${writers.entries.length} commands`);
        }
        return {
          'leaders killed': KILLS[stage.form],
          ...since(),
          'ms until the backlog was made up for': slowest,
        };
      },
      afterwards: () => publishedFigures(installation),
    });
  },
  bounds: (form) => ({
    ...ALL_KEPT,
    ...PUBLISHED,
    'leaders killed': atLeast(KILLS[form]),
    'acknowledged meanwhile': atLeast(50),
    'of 1,000 writes failed': atMost(1),
    'ms until the backlog was made up for': atMost(MADE_UP_FOR),
  }),
  controls: [believesTheLeader],
});
