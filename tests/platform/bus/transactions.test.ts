/** What somebody else writes to our topics in transactions, of which we have none. */
import { randomUUID } from 'node:crypto';
import { Producer } from '@platformatic/kafka';
import { afterAll, expect, test } from 'vitest';
import { readFeed } from '../../../src/platform/event-bus/feed.ts';
import { clientOptions } from '../../../src/platform/event-bus/kafka/client.ts';
import { openKafkaBus } from '../../../src/platform/event-bus/kafka/kafka-bus.ts';
import { FEED_START } from '../../../src/platform/event-store/event.ts';
import { kafka } from '../../support/kafka.ts';
import { until } from '../../support/until.ts';
import { upTo } from '../bed.ts';
import { hearing } from './heard.ts';
import { kafkaBed } from './kafka-bed.ts';

const TOPIC = 'note.events';
/** ms: longer than a test, as a transaction that nobody ends is ended by the broker then. */
const LONG = 600_000;

kafka.describe('beside transactions of a stranger', () => {
  const bed = kafkaBed();
  const opened: Producer[] = [];
  let strays = 0;
  afterAll(() => Promise.all(opened.map((one) => one.close(true))));
  /** Begins one, with a record on each partition. */
  const begin = async () => {
    const transactionalId = randomUUID();
    // The broker makes what it keeps of transactions when somebody first has one.
    const options = { ...clientOptions(bed.settings(), 'stranger'), timeout: LONG, requestTimeout: 5_000, retries: 50 };
    const producer = new Producer({ ...options, idempotent: true, transactionalId });
    opened.push(producer);
    const transaction = await producer.beginTransaction();
    const [key, value] = [Buffer.from('stray'), Buffer.from('stray')];
    const messages = upTo(4).map((partition) => ({ topic: TOPIC, partition, key, value }));
    await transaction.send({ messages });
    strays += messages.length;
    return transaction;
  };
  /** Says something on all partitions, and answers the ids of those notes once all of them were heard. */
  const sayAndHear = async (): Promise<readonly string[]> => {
    const notes = await Promise.all(upTo(30).map(() => bed.say('one')));
    const areHeard = async () => {
      const heard = await bed.heard();
      return notes.every((id) => heard.has(id));
    };
    await until('all of it to be heard', areHeard);
    return notes;
  };
  const eventsOf = async (notes: readonly string[]): Promise<readonly string[]> => {
    const streams = new Set(notes.map((id) => `note-${id}`));
    const feed = await readFeed(bed.producer().database, FEED_START, 10_000);
    return feed.filter(({ envelope }) => streams.has(envelope.stream)).map(({ envelope }) => envelope.id);
  };
  const newest = async (): Promise<readonly string[]> => {
    const bus = openKafkaBus(bed.settings());
    const ids = (await bus.newest('note', [TOPIC])).map(({ id }) => id);
    await bus.close();
    return ids;
  };

  test('one that nobody ends holds up nobody, and hides none of ours from who looks for the newest', async () => {
    await bed.listen([hearing()]);
    await sayAndHear();
    const open = await begin();
    const notes = await sayAndHear();
    expect(await newest()).toEqual(expect.arrayContaining([...(await eventsOf(notes))]));
    await open.abort();
  });

  test('what was in one is parked like anything else of a stranger, and its end is nothing to be behind by', async () => {
    const { consumers } = await bed.listen([hearing()]);
    const notes = await sayAndHear();
    await (await begin()).abort();
    await (await begin()).commit();
    await until('all of it to be parked', async () => (await bed.parked()).length === strays);
    const lags = async () => (await consumers.health()).map(({ lag }) => lag);
    const found = await until('nobody to be behind', async () => {
      const now = await lags();
      return now.every(({ events, seconds }) => events === 0 && seconds !== null) ? now : undefined;
    });
    expect(found).toEqual([{ events: 0, seconds: 0 }]);
    expect(await newest()).toEqual(expect.arrayContaining([...(await eventsOf(notes))]));
  });
});
