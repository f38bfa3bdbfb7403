/** From one bus to the other, and what others put on a broker. */
import { randomUUID } from 'node:crypto';
import { ProduceAcks, Producer } from '@platformatic/kafka';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Cluster } from '../../../scripts/kafka/cluster.ts';
import { readFeed } from '../../../src/platform/event-bus/feed.ts';
import { clientOptions, type KafkaSettings } from '../../../src/platform/event-bus/kafka/client.ts';
import { openFetcher } from '../../../src/platform/event-bus/kafka/fetcher.ts';
import { openKafkaBus } from '../../../src/platform/event-bus/kafka/kafka-bus.ts';
import { readAll } from '../../../src/platform/event-bus/kafka/tail.ts';
import { topicsOfServices } from '../../../src/platform/event-bus/kafka/topic-specs.ts';
import { applyTopics, emptyTopics } from '../../../src/platform/event-bus/kafka/topics.ts';
import { openLogBus } from '../../../src/platform/event-bus/log-bus.ts';
import { openRelay, type Publisher, type Relay, rewindRelay } from '../../../src/platform/event-bus/relaying.ts';
import { refuseSetBack } from '../../../src/platform/event-bus/set-back.ts';
import { FEED_START } from '../../../src/platform/event-store/event.ts';
import { laneOf } from '../../../src/platform/event-store/lane.ts';
import { statement } from '../../../src/platform/sql/database.ts';
import { createLogger } from '../../../src/platform/telemetry/logger.ts';
import { kafka, startKafka } from '../../support/kafka.ts';
import { until } from '../../support/until.ts';
import { upTo } from '../bed.ts';
import { SCHEMA } from '../notes.ts';
import { busBed } from './bed.ts';
import { hearing } from './heard.ts';

const RELAYS = statement('relays', `select holder from consumer_lease where consumer = 'relay'`);

const TOPICS = topicsOfServices(['note'], { partitions: 4, replicas: 1 });

kafka.describe('an installation with a broker', () => {
  let cluster: Cluster | undefined;
  const settings = () => ({ bootstrapServers: cluster?.bootstrap.split(',') ?? [] });
  const relays: { readonly health: Relay['health']; readonly stop: () => Promise<unknown> }[] = [];
  beforeAll(async () => {
    cluster = await startKafka();
    await applyTopics(settings(), TOPICS);
  });
  afterEach(async () => {
    await Promise.all(relays.splice(0).map(({ stop }) => stop()));
  });
  afterAll(() => cluster?.stop());

  let isMoved = false;
  const bed = busBed((producer, address) => {
    const { committed } = producer;
    if (!isMoved) return openLogBus({ note: { address, schema: SCHEMA, committed } }, 'test bus');
    return openKafkaBus(settings());
  });
  const publish = (more: Partial<Publisher> = {}): Relay => {
    const { database, committed } = bed.producer();
    const bus = openKafkaBus(settings());
    const publisher = { ...bus, ...more };
    const relay = openRelay({ source: 'note', database, publisher, committed, logger: createLogger('silent') });
    relays.push({ health: relay.health, stop: () => relay.stop().then(() => bus.close()) });
    void relay.start();
    return relay;
  };
  const heardOf = async (id: string) => (await bed.heard()).get(id)?.versions;
  const hears = (id: string, versions: readonly number[]) =>
    until(`version ${versions.at(-1)}`, async () => (await heardOf(id))?.length === versions.length);

  test('from the log bus to a broker: what was heard is not heard again, and nothing is missed', async () => {
    isMoved = false;
    const before = await Promise.all(upTo(20).map(() => bed.say('one', 'two')));
    const listening = await bed.listen([hearing()]);
    for (const id of before) await hears(id, [1, 2]);
    await bed.stop(listening);
    const between = await Promise.all(upTo(20).map(() => bed.say('one')));
    for (const id of before) await bed.extend(id, 'three');

    isMoved = true;
    publish();
    await bed.listen([hearing()]);
    const after = await bed.say('one', 'two');
    for (const id of before) {
      await hears(id, [1, 2, 3]);
      expect(await heardOf(id)).toEqual([1, 2, 3]);
    }
    for (const id of between) await hears(id, [1]);
    await hears(after, [1, 2]);
    expect(await bed.parked()).toEqual([]);
  });

  test('a relay that stops leaves its place at once', async () => {
    isMoved = true;
    const { database } = bed.producer();
    const held = () => database.read<{ holder: string }>(RELAYS, []);
    const relay = publish();
    await until('it to lead', async () => (await held()).length > 0);
    await relay.stop();
    expect(await held()).toEqual([]);
  });

  test('a relay that reaches the store and not the broker leaves its place to one that reaches both', async () => {
    isMoved = true;
    const { database } = bed.producer();
    const cut = publish({ send: () => Promise.reject(new Error('there is no way to the broker')) });
    await until('it to lead', async () => (await database.read(RELAYS, [])).length > 0);
    await bed.say('one');
    publish();
    await until('all to be published', async () => (await cut.health()).backlog.events === 0, 30_000);
  });

  test('a record that is no event is parked, and holds up nobody, not even its key', async () => {
    isMoved = true;
    publish();
    await bed.listen([hearing()]);
    const id = await bed.say('one');
    await hears(id, [1]);
    const producer = new Producer({ ...clientOptions(settings(), 'somebody'), idempotent: false });
    const topic = 'note.events';
    const key = Buffer.from(id);
    const junk = ['no JSON', '{"text":1}', '{"a":'.repeat(500), 'x'.repeat(5 * 1024 * 1024), '\0\ud800'].map(
      (text) => ({
        topic,
        key,
        value: Buffer.from(text),
      }),
    );
    for (const message of junk) await producer.send({ messages: [message], acks: ProduceAcks.ALL });
    await producer.send({ messages: [{ topic, key, value: Buffer.from('v'), partition: 3 }], acks: ProduceAcks.ALL });
    await producer.close(true);
    await bed.extend(id, 'two');
    await hears(id, [1, 2]);
    await until('all of it to be parked', async () => (await bed.parked()).length === 6);
    const parked = await bed.parked();
    expect(
      parked.every(([name, cause, count]) => name.startsWith('record ') && cause === 'unreadable' && count === 1),
    ).toBe(true);
    await bed.extend(id, 'three');
    await hears(id, [1, 2, 3]);
  });

  test('a topic that the broker lost is filled again: what was missed is heard, and nothing twice', async () => {
    isMoved = true;
    const { database } = bed.producer();
    publish();
    const listening = await bed.listen([hearing()]);
    const heard = await Promise.all(upTo(20).map(() => bed.say('one', 'two')));
    for (const id of heard) await hears(id, [1, 2]);
    await bed.stop(listening);
    const missed = await Promise.all(upTo(20).map(() => bed.say('one')));
    for (const id of heard.slice(0, 10)) await bed.extend(id, 'three');
    await until('all to be published', async () => (await relays.at(-1)?.health())?.backlog.events === 0);
    await emptyTopics(settings(), TOPICS); // lost

    await bed.listen([hearing()]);
    for (const id of missed) await bed.extend(id, 'two');
    await until('the gap to be told', () => bed.logged().some(({ msg }) => /missing/i.test(msg)));
    await relays.pop()?.stop();
    await rewindRelay(database);
    await emptyTopics(settings(), TOPICS);
    publish();
    for (const id of missed) await hears(id, [1, 2]);
    for (const [n, id] of heard.entries()) {
      await hears(id, n < 10 ? [1, 2, 3] : [1, 2]);
      expect(await heardOf(id)).toEqual(n < 10 ? [1, 2, 3] : [1, 2]);
    }
    expect((await bed.parked()).filter(([name]) => !name.startsWith('record '))).toEqual([]); // those are of the test before
  });

  test('topics that are made with other partitions get all of it again; whoever hears it hears all, and nothing twice', async () => {
    isMoved = true;
    const { database } = bed.producer();
    publish();
    await Promise.all([bed.listen([hearing()]), bed.listen([hearing()])]);
    const heard = await Promise.all(upTo(20).map(() => bed.say('one', 'two')));
    for (const id of heard) await hears(id, [1, 2]);
    await relays.pop()?.stop();
    await rewindRelay(database);
    await emptyTopics(
      settings(),
      TOPICS.map((spec) => ({ ...spec, partitions: 16 })),
    );
    publish();
    const later = await Promise.all(upTo(40).map(() => bed.say('one')));
    for (const id of heard) await bed.extend(id, 'three');
    for (const id of later) await hears(id, [1]);
    for (const id of heard) {
      await hears(id, [1, 2, 3]);
      expect(await heardOf(id)).toEqual([1, 2, 3]);
    }
  });

  test('a gap in one partition holds up no other', async () => {
    isMoved = true;
    publish();
    await bed.listen([hearing()]);
    const first = await bed.say('one');
    await hears(first, [1]);
    await forgeBehind(settings());
    await until('it to be told', () => bed.logged().some(({ msg }) => /missing|gap/i.test(msg)));
    const elsewhere = (await Promise.all(upTo(16).map(() => bed.say('one')))).filter(isOffTheFirstPartition);
    expect(elsewhere.length).toBeGreaterThan(0);
    for (const id of elsewhere) await hears(id, [1]);
  });

  test('the newest event is known by its place, though a twin of an older one and many strays lie behind it', async () => {
    isMoved = true;
    const relay = publish();
    // Not where the forged event of the test before lies: its era is later than ours.
    const sayElsewhere = async (): Promise<string> => {
      const said = await bed.say('one', 'two');
      return isOffTheFirstPartition(said) ? said : sayElsewhere();
    };
    const id = await sayElsewhere();
    await until('it to be published', async () => (await relay.health()).backlog.events === 0);
    const bus = openKafkaBus(settings());
    const ours = (await readFeed(bed.producer().database, FEED_START, 10_000)).filter(
      ({ envelope }) => envelope.stream === `note-${id}`,
    );
    await bus.send(
      'note',
      ours.slice(0, 1).map((event) => ({ ...event, after: FEED_START })),
    );
    const isThere = async () =>
      (await bus.newest('note', ['note.events'])).some(({ id }) => id === ours.at(-1)?.envelope.id);
    expect(ours).toHaveLength(2);
    expect(await isThere(), 'behind its elder’s twin').toBe(true);
    const producer = new Producer({ ...clientOptions(settings(), 'somebody'), idempotent: false });
    const strays = upTo(2_500).map(() => ({ topic: 'note.events', key: Buffer.from(id), value: Buffer.from('stray') }));
    await producer.send({ messages: strays, acks: ProduceAcks.ALL });
    await producer.close(true);
    expect(await isThere(), 'behind 2,500 strays').toBe(true);
    await bus.close();
  });

  // The last one: from then on the store lacks something.
  test('a store that lacks one of the newest events is known for it, though it has the one whose place is the last', async () => {
    isMoved = true;
    const { database } = bed.producer();
    const relay = publish();
    const id = await bed.say('one', 'two');
    await until('it to be published', async () => (await relay.health()).backlog.events === 0);
    const bus = openKafkaBus(settings());
    await refuseSetBack(database, bus, 'note');
    const feed = await readFeed(database, FEED_START, 10_000);
    const [first] = feed.filter(({ envelope }) => envelope.stream === `note-${id}`);
    if (first === undefined) throw new Error('nothing was said');
    const lost = { ...first, after: FEED_START, envelope: { ...first.envelope, id: randomUUID() } };
    await bus.send('note', [lost]);
    await expect(refuseSetBack(database, bus, 'note')).rejects.toThrow(/\(1 of the newest\): the store was set back/);
    await bus.close();
  });
});

/** Of 4 partitions, and of 16. */
const isOffTheFirstPartition = (id: string): boolean => laneOf(id) % 4 !== 0;

/** Puts an event on the first partition that has somebody else's before it, which nobody will ever send. */
const forgeBehind = async (settings: KafkaSettings): Promise<void> => {
  const fetcher = openFetcher(settings, 'forger');
  const producer = new Producer({ ...clientOptions(settings, 'forger'), idempotent: false });
  try {
    for await (const { topic, partition, records } of readAll(fetcher, ['note.events'])) {
      const last = records.findLast(({ headers }) => headers.some(([name]) => String(name) === 'ce_position'));
      if (partition !== 0 || last?.value == null || last.key === null) continue;
      const headers = new Map(last.headers.flatMap(([name, text]) => (name && text ? [[name, text] as const] : [])));
      const forged = new Map(
        [...headers].map(([name, text]) => {
          const era = { ce_predecessor: '8:1:1', ce_position: '9:1:1' }[String(name)];
          return [name, era === undefined ? text : Buffer.from(era)] as const;
        }),
      );
      const { key, value } = last;
      await producer.send({ messages: [{ topic, partition, key, value, headers: forged }], acks: ProduceAcks.ALL });
      return;
    }
    throw new Error('there is nothing on the first partition');
  } finally {
    await Promise.all([fetcher.close(), producer.close(true)]);
  }
};
