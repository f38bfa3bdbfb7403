/** What a broker has of a source, and what it has not: after a store was set back, and where its topics are made anew. */
import { Admin } from '@platformatic/kafka';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Cluster } from '../../../scripts/kafka/cluster.ts';
import { readFeed } from '../../../src/platform/event-bus/feed.ts';
import { readAllEvents } from '../../../src/platform/event-bus/kafka/all-events.ts';
import { clientOptions } from '../../../src/platform/event-bus/kafka/client.ts';
import { openKafkaBus } from '../../../src/platform/event-bus/kafka/kafka-bus.ts';
import { topicsOfServices } from '../../../src/platform/event-bus/kafka/topic-specs.ts';
import { applyTopics, emptyTopics } from '../../../src/platform/event-bus/kafka/topics.ts';
import { openRelay, type Publisher, type Relay } from '../../../src/platform/event-bus/relaying.ts';
import { endRestore, restoreFromBus } from '../../../src/platform/event-bus/restore.ts';
import { FEED_START } from '../../../src/platform/event-store/event.ts';
import { laneOf } from '../../../src/platform/event-store/lane.ts';
import { openDatabase } from '../../../src/platform/sql/database.ts';
import { createLogger } from '../../../src/platform/telemetry/logger.ts';
import { kafka, startKafka } from '../../support/kafka.ts';
import { until } from '../../support/until.ts';
import { SCHEMA } from '../notes.ts';
import { busBed } from './bed.ts';
import { hearing } from './heard.ts';

const PARTITIONS = 4;

kafka.describe('a broker', () => {
  let cluster: Cluster | undefined;
  const settings = () => ({ bootstrapServers: cluster?.bootstrap.split(',') ?? [] });
  const specs = (...services: readonly string[]) => topicsOfServices(services, { partitions: PARTITIONS, replicas: 1 });
  const relays: Pick<Relay, 'stop'>[] = [];
  beforeAll(async () => {
    cluster = await startKafka();
    await applyTopics(settings(), specs('note'));
  });
  afterEach(async () => {
    await Promise.all(relays.splice(0).map(({ stop }) => stop()));
  });
  afterAll(() => cluster?.stop());

  const bed = busBed(() => openKafkaBus(settings()));
  const publish = (send?: (bus: Publisher, ...given: Parameters<Publisher['send']>) => Promise<void>) => {
    const { database, committed } = bed.producer();
    const bus = openKafkaBus(settings());
    const publisher: Publisher = send === undefined ? bus : { ...bus, send: (...given) => send(bus, ...given) };
    const relay = openRelay({ source: 'note', database, publisher, committed, logger: createLogger('silent') });
    const stop = () => relay.stop().then(() => bus.close());
    relays.push({ stop });
    void relay.start();
    return { stop, isDone: async () => (await relay.health()).backlog.events === 0 };
  };
  const hears = (id: string, versions: readonly number[]) =>
    until(`${versions} of ${id}`, async () => String((await bed.heard()).get(id)?.versions) === String(versions));

  test('a leader that was lost with its part of a send, and a store that lost what another one took: all is heard, once', async () => {
    const relay = publish();
    const hearer = await bed.listen([hearing()]);
    const missing = await bed.say('one');
    const sayElsewhere = async (): Promise<string> => {
      const id = await bed.say('one');
      return laneOf(id) % PARTITIONS === laneOf(missing) % PARTITIONS ? sayElsewhere() : id;
    };
    const last = await sayElsewhere();
    await hears(missing, [1]);
    await hears(last, [1]);
    await until('all to be published', relay.isDone);
    await relay.stop();

    await bed.extend(missing, 'two');
    await bed.extend(last, 'two');
    let halves = 0;
    const half = publish(async (bus, source, deliveries) => {
      await bus.send(
        source,
        deliveries.filter(({ key }) => key !== missing),
      );
      halves += 1;
      throw new Error('one leader did not answer');
    });
    await hears(last, [1, 2]);
    await until('a send', () => halves > 0);
    await half.stop();
    await bed.sql(`alter table ${SCHEMA}.event disable trigger event_unchanged`);
    await bed.sql(`delete from ${SCHEMA}.event where stream = $1 and version = 2`, [`note-${last}`]);
    await bed.sql(`alter table ${SCHEMA}.event enable trigger event_unchanged`);

    const given = { address: bed.address(), schema: SCHEMA, statementTimeout: 0, applicationName: 'test owner' };
    const owner = openDatabase({ ...given, connections: 1 });
    const session = await owner.openSession();
    const report = await restoreFromBus(
      session,
      () => readAllEvents(settings(), 'note'),
      () => undefined,
    );
    expect(report).toMatchObject({ inserted: 1 });
    await endRestore(owner);
    await session.close();
    await owner.close();

    const again = publish();
    await hears(missing, [1, 2]);
    await bed.extend(missing, 'three');
    await bed.extend(last, 'three');
    await hears(missing, [1, 2, 3]);
    await hears(last, [1, 2, 3]);
    await until('all to be published', again.isDone);
    await bed.stop(hearer);

    // Whoever comes now reads all of the broker: no gap, nothing out of order.
    await bed.sql('truncate consumer, heard, consumer_lease cascade');
    await bed.listen([hearing()]);
    await hears(missing, [1, 2, 3]);
    await hears(last, [1, 2, 3]);
    expect(await bed.parked()).toEqual([]);
    const ids = (await readFeed(bed.producer().database, FEED_START, 1_000)).map(({ envelope }) => envelope.id);
    const onBus = new Set<string>();
    for await (const piece of readAllEvents(settings(), 'note'))
      for (const { envelope } of piece) onBus.add(envelope.id);
    expect([...onBus].toSorted()).toEqual(ids.toSorted());
  });

  test('a topic that somebody else makes while it is to be made anew: who empties it says so', async () => {
    const all = specs(...'abcdef');
    await applyTopics(settings(), all);
    const last = all.map(({ name }) => name).at(-1) ?? '';
    // At it all the time: of 13 topics that are taken away and made one after the other, it gets the last.
    const other = new Admin(clientOptions(settings(), 'somebody'));
    let isOver = false;
    const make = async (): Promise<void> => {
      while (!isOver) {
        const made = await other.createTopics({ topics: [last], partitions: 1, replicas: 1 }).catch(() => []);
        if (made.length > 0) return;
      }
    };
    const making = make();
    const emptied = emptyTopics(settings(), all).finally(() => {
      isOver = true;
    });
    await expect(emptied).rejects.toThrow(`${last} is there again before it was made anew`);
    await making;
    await other.close();
    await emptyTopics(settings(), all);
    await emptyTopics(settings(), specs('nobody')); // there was none of them
  });
});
