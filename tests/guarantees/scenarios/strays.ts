/** Somebody else writes to the topics of the services: what is nobody's is parked, and holds up nobody. */
import { randomUUID } from 'node:crypto';
import { ProduceAcks, Producer } from '@platformatic/kafka';
import { clientOptions } from '../../../src/platform/event-bus/kafka/client.ts';
import { openFetcher } from '../../../src/platform/event-bus/kafka/fetcher.ts';
import { readAll } from '../../../src/platform/event-bus/kafka/tail.ts';
import { newPerson } from '../../e2e/support/client.ts';
import { until } from '../../support/until.ts';
import { atLeast, atMost, type Figures, NONE, scenario } from '../kit/scenario.ts';
import { type DistributedInstallation, distributed } from '../kit/world.ts';
import { ONE_OF_EACH, staffed } from '../load/company.ts';
import { madeUpFor } from '../load/effects.ts';
import { startNaiveListener } from '../load/naive-listener.ts';
import { makeTasks } from '../load/raw-tasks.ts';
import { acknowledgedSince } from '../load/storm.ts';
import { ALL_KEPT, trial } from '../load/trial.ts';

const ROUNDS = { short: 1, full: 8 };
/** ms in which what the services themselves say must have had its effects meanwhile. */
const UNDELAYED = 10_000;
const SOURCES = ['user', 'task'] as const;
/** Nobody hears of these, but their relays look at what lies at their ends. */
const UNHEARD = ['notification', 'system'] as const;
type Source = (typeof SOURCES)[number] | (typeof UNHEARD)[number];

/** What a record says of itself: all that CloudEvents asks for, and no place in a feed, which only a relay knows. */
const headersOf = (source: string, type: string, version: number, schemaVersion = 1, more = {}) => {
  const said = {
    ce_specversion: '1.0',
    ce_id: randomUUID(),
    ce_source: `/taskwire/${source}`,
    ce_type: type,
    ce_sequence: String(version),
    ce_dataschema: `urn:taskwire:event:${type}:${schemaVersion}`,
    ...more,
  };
  return new Map(Object.entries<string>(said).map(([name, value]) => [Buffer.from(name), Buffer.from(value)]));
};
type Stray = {
  readonly value: string | undefined;
  readonly headers?: Map<Buffer, Buffer>;
  readonly timestamp?: bigint;
};
const TYPES: Readonly<Record<Source, string>> = {
  user: 'user.created',
  task: 'task.completed',
  notification: 'notification.sent',
  system: 'system.service_started',
};
const straysFor = (source: Source): readonly Stray[] => {
  const type = TYPES[source];
  return [
    { value: 'no JSON' },
    { value: undefined },
    { value: `${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}` },
    { value: 'x'.repeat(5 * 1024 * 1024) },
    { value: '\u0001'.repeat(5 * 1024 * 1024) }, // as JSON six times as long
    { value: 'in microseconds', timestamp: 1_700_000_000_000_000n },
    { value: 'no instant', timestamp: -9_000_000_000_000_000n },
    { value: '{}', headers: headersOf(source, type, 2, 1, { ce_recordedat: '2026-02-30T00:00:00.000Z' }) },
    { value: '{}', headers: headersOf(source, type, 2, 1, { ce_position: '1:99999999999999999999:1' }) },
    { value: '\0\ud800' },
    { value: '{}', headers: headersOf(source, `${source}.teleported`, 2) },
    { value: '{}', headers: headersOf(source, type, 2, 99) },
    { value: '{}', headers: headersOf('somebody', type, 2) },
    { value: '{}', headers: headersOf(source, type, 3) }, // the third before the second
    { value: '{}', headers: headersOf(source, type, 2) },
  ];
};
const COUNT = SOURCES.reduce((sum, source) => sum + straysFor(source).length, 0);

const PLACE = /^\d+:\d{1,18}:\d+$/;
const openForger = ({ cluster }: DistributedInstallation) => {
  const settings = { bootstrapServers: cluster.bootstrap.split(',') };
  const producer = new Producer({ ...clientOptions(settings, 'somebody'), idempotent: true }); // or one may lie there twice
  return {
    /** Every kind of stray, under a key that is somebody's. */
    scatter: async (keys: Readonly<Record<Source, string>>): Promise<void> => {
      for (const source of [...SOURCES, ...UNHEARD]) {
        for (const { value, headers = new Map(), timestamp } of straysFor(source)) {
          const key = Buffer.from(keys[source]);
          const said = value === undefined ? {} : { value: Buffer.from(value) };
          const when = timestamp === undefined ? {} : { timestamp };
          const messages = [{ topic: `${source}.events`, key, headers, ...said, ...when }];
          await producer.send({ messages, acks: ProduceAcks.ALL });
        }
      }
    },
    /** All that was said of tasks, again and backwards. Answers how much that was. */
    backwards: async (): Promise<number> => {
      const seen = new Set<string>(); // what was repeated is not repeated again: it would double each time
      const fetcher = openFetcher(settings, 'somebody-reads');
      let repeated = 0;
      for await (const { topic, partition, records } of readAll(fetcher, ['task.events'])) {
        const messages = records.toReversed().flatMap(({ key, value, headers }) => {
          if (key === null || value === null || value.length > 100_000) return [];
          const named = headers.flatMap(([name, text]) => (name && text ? [[name, text] as const] : []));
          const position = String(named.find(([name]) => String(name) === 'ce_position')?.[1] ?? '');
          if (!PLACE.test(position) || seen.has(position)) return []; // that of a stray is not to be parked twice
          seen.add(position);
          return [{ topic, partition, key, value, headers: new Map(named) }];
        });
        if (messages.length > 0) await producer.send({ messages, acks: ProduceAcks.ALL });
        repeated += messages.length;
      }
      await fetcher.close();
      return repeated;
    },
    close: () => producer.close(true),
  };
};

export const strays = scenario('strays', {
  promise: 'what somebody else puts on a topic is parked with its cause; it holds up nobody, and ends no process',
  topologies: ['distributed'],
  run: async (stage) => {
    const world = distributed(stage.world);
    const { installation, company } = staffed(await world.install(), ONE_OF_EACH);
    const { sql } = installation;
    const parkedBy = (cause: string) =>
      sql<{ key: string }>('select key from notification_service.parked_key where cause = $1', [cause]);
    return trial(stage, {
      installation,
      rest: 50,
      meanwhile: async ({ server, writers }): Promise<Figures> => {
        await acknowledgedSince(writers);
        const { ask } = await newPerson(server.url);
        const user = String((await ask('GET', '/api/v1/me')).body?.id);
        const naive = await startNaiveListener(world, installation);
        const forger = openForger(installation);
        let [delay, repeated] = [0, 0];
        for (let round = 1; round <= ROUNDS[stage.form]; round += 1) {
          const [task = ''] = await makeTasks(ask, 1);
          await forger.scatter({ user, task, notification: user, system: 'system' });
          const done = await ask('POST', `/api/v1/tasks/${task}/complete`); // of a key that is scattered over
          if (done.status !== 200) throw new Error(`completing a task: ${JSON.stringify(done.body)}`);
          delay = Math.max(delay, await madeUpFor(sql, UNDELAYED * 3));
          repeated += await forger.backwards();
          await until('all of them to be parked', async () => (await parkedBy('unreadable')).length >= round * COUNT);
          stage.report(`round ${round} of ${ROUNDS[stage.form]}, ${writers.entries.length} commands`);
        }
        await forger.close();
        const { begin, kill } = company();
        for (const service of [...SOURCES, 'notification'] as const) {
          await kill(service);
          await begin(service); // its relay looks for what it published last, behind all of that
        }
        await acknowledgedSince(writers);
        delay = Math.max(delay, await madeUpFor(sql, UNDELAYED * 3));
        const parked = await parkedBy('unreadable');
        return {
          'strays put there': ROUNDS[stage.form] * COUNT,
          'of them parked': parked.length,
          'parked that are no strays': parked.filter(({ key }) => !key.startsWith('record ')).length,
          'ms until others had followed': delay,
          'repeated backwards': repeated,
          'servers that ended': server.running() ? 0 : 1,
          'a naive listener beside it: ended': naive.running() ? 0 : 1,
        };
      },
    });
  },
  bounds: (form) => ({
    ...ALL_KEPT,
    'strays put there': atLeast(ROUNDS[form] * COUNT),
    'of them parked': atLeast(ROUNDS[form] * COUNT),
    'keys parked': atMost(ROUNDS[form] * COUNT), // they alone
    'parked that are no strays': NONE,
    'ms until others had followed': atMost(UNDELAYED),
    'repeated backwards': atLeast(50),
    'servers that ended': NONE,
    'a naive listener beside it: ended': atLeast(1),
  }),
  controls: [],
});
