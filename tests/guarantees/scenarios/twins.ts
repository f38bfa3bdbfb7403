/** Every record is put on the broker again: five times at once, later, and after a restart. Each has its effect once. */

import { setTimeout as pause } from 'node:timers/promises';
import { ProduceAcks, Producer } from '@platformatic/kafka';
import { clientOptions } from '../../../src/platform/event-bus/kafka/client.ts';
import { openFetcher } from '../../../src/platform/event-bus/kafka/fetcher.ts';
import { readAll } from '../../../src/platform/event-bus/kafka/tail.ts';
import { atLeast, type Figures, scenario } from '../kit/scenario.ts';
import { distributed } from '../kit/world.ts';
import { ONE_OF_EACH, staffed } from '../load/company.ts';
import { drained } from '../load/effects.ts';
import { LISTENER_DOUBLED, listenerFigures, startNaiveListener } from '../load/naive-listener.ts';
import { READ_MODELS_KEPT, readModelFigures } from '../load/read-models.ts';
import { acknowledgedSince } from '../load/storm.ts';
import { ALL_KEPT, trial } from '../load/trial.ts';

const TOPICS = ['user.events', 'task.events'];
const ROUNDS = { short: 2, full: 4 };
/** ms between them. */
const APART = { short: 1_000, full: 60_000 };
const TIMES = 5;
const HANDLED = `select distinct metadata ->> 'causationId' from notification_service.event where type = 'notification.requested'`;
const ANOTHER = {
  part: 'notification',
  env: { NOTIFICATION_PORT: '0', INSTANCE_ID: 'notification-another' },
} as const;

/** Puts all that the services said behind it once more, several times at once. Answers how many records those were. */
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
      if (messages.length === 0) continue;
      await Promise.all(Array.from({ length: TIMES }, () => producer.send({ messages, acks: ProduceAcks.ALL })));
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
    const { installation, company } = staffed(await world.install(), ONE_OF_EACH);
    return trial(stage, {
      installation,
      meanwhile: async ({ writers }): Promise<Figures> => {
        await startNaiveListener(world, installation);
        const { begin, kill } = company();
        let [repeated, handledBefore] = [0, 0];
        for (let round = 1; round <= ROUNDS[stage.form]; round += 1) {
          await acknowledgedSince(writers);
          await pause(APART[stage.form]);
          await kill('notification');
          handledBefore = (await installation.sql(HANDLED)).length; // whoever comes now must know of these by reading
          await begin('notification');
          if (round === ROUNDS[stage.form]) await begin('another', ANOTHER); // and now they come to two of them
          repeated += await repeatAll(installation.cluster.bootstrap);
          stage.report(`${repeated} twins`);
        }
        return { twins: repeated, 'events repeated that a process before had handled': handledBefore };
      },
      afterwards: async () => {
        await repeatAll(installation.cluster.bootstrap);
        await pause(2_000); // what is twice would come about now
        return {
          ...(await drained(installation.sql, 60_000)),
          ...(await listenerFigures(installation)),
          ...(await readModelFigures(installation)),
        };
      },
    });
  },
  bounds: () => ({
    ...ALL_KEPT,
    ...READ_MODELS_KEPT,
    twins: atLeast(200),
    'events repeated that a process before had handled': atLeast(10),
    [LISTENER_DOUBLED]: atLeast(100),
  }),
  controls: [],
});
