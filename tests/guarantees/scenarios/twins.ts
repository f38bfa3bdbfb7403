/** Every record is put on the broker again: five times at once, later, and after a restart. Each has its effect once. */

import { setTimeout as pause } from 'node:timers/promises';
import { ProduceAcks, Producer } from '@platformatic/kafka';
import { clientOptions } from '../../../src/platform/event-bus/kafka/client.ts';
import { openFetcher } from '../../../src/platform/event-bus/kafka/fetcher.ts';
import { readAll } from '../../../src/platform/event-bus/kafka/tail.ts';
import { atLeast, type Figures, scenario } from '../kit/scenario.ts';
import { distributed } from '../kit/world.ts';
import { drained } from '../load/effects.ts';
import { LISTENER_DOUBLED, listenerFigures, startNaiveListener } from '../load/naive-listener.ts';
import { acknowledgedSince } from '../load/storm.ts';
import { ALL_KEPT, trial } from '../load/trial.ts';

const TOPICS = ['user.events', 'task.events'];
const ROUNDS = { short: 2, full: 4 };
/** ms between them. */
const APART = { short: 1_000, full: 60_000 };
const TIMES = 5;

/** Puts all that the services said behind it once more, several times. Answers how many records those were. */
const repeatAll = async (bootstrap: string): Promise<number> => {
  const settings = { bootstrapServers: bootstrap.split(',') };
  const fetcher = openFetcher(settings, 'twins');
  const producer = new Producer({ ...clientOptions(settings, 'twins'), idempotent: false });
  let repeated = 0;
  const seen = new Set<string>(); // twins of twins would be millions soon
  try {
    for await (const { topic, partition, records } of readAll(fetcher, TOPICS)) {
      const messages = records.flatMap(({ key, value, headers }) => {
        const id = String(headers.find(([name]) => String(name) === 'ce_id')?.[1]);
        if (key === null || value === null || seen.has(id)) return [];
        seen.add(id);
        const named = headers.flatMap(([name, text]) => (name && text ? [[name, text] as const] : []));
        return [{ topic, partition, key, value, headers: new Map(named) }];
      });
      for (let time = 0; time < TIMES && messages.length > 0; time += 1)
        await producer.send({ messages, acks: ProduceAcks.ALL });
      repeated += messages.length * TIMES;
    }
  } finally {
    await Promise.all([fetcher.close(), producer.close(true)]);
  }
  return repeated;
};

export const twins = scenario('twins', {
  promise: 'a record that comes again, at once, later or after a restart, has no second effect',
  topologies: ['distributed'],
  run: async (stage) => {
    const world = distributed(stage.world);
    const installation = await world.install();
    let repeated = 0;
    return trial(stage, {
      installation,
      ends: [{ after: 500 }],
      meanwhile: async ({ writers }): Promise<Figures> => {
        await startNaiveListener(world, installation);
        for (let round = 0; round < ROUNDS[stage.form]; round += 1) {
          await acknowledgedSince(writers);
          await pause(APART[stage.form]);
          repeated += await repeatAll(installation.cluster.bootstrap);
          stage.report(`${repeated} twins`);
        }
        return { twins: repeated };
      },
      afterwards: async () => {
        await repeatAll(installation.cluster.bootstrap);
        await pause(2_000); // what is twice would come about now
        return { ...(await drained(installation.sql, 60_000)), ...(await listenerFigures(installation)) };
      },
    });
  },
  bounds: () => ({ ...ALL_KEPT, twins: atLeast(200), [LISTENER_DOUBLED]: atLeast(100) }),
  controls: [],
});
