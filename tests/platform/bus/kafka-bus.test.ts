import { randomUUID } from 'node:crypto';
import { Admin, Consumer } from '@platformatic/kafka';
import { expect, test } from 'vitest';
import { NOBODYS } from '../../../src/platform/event-bus/bus.ts';
import { clientOptions } from '../../../src/platform/event-bus/kafka/client.ts';
import { openKafkaBus } from '../../../src/platform/event-bus/kafka/kafka-bus.ts';
import { createLogger } from '../../../src/platform/telemetry/logger.ts';
import { kafka } from '../../support/kafka.ts';
import { until } from '../../support/until.ts';
import { upTo } from '../bed.ts';
import { hearing } from './heard.ts';
import { kafkaBed } from './kafka-bed.ts';
import { busSuite } from './suite.ts';

kafka.describe('on Apache Kafka', () => {
  const bed = kafkaBed();
  busSuite(bed);

  test('a group whose offsets somebody set a thousand too far misses nothing, and follows the database again within 10 s', async () => {
    const groupId = 'test.hearing-of-note';
    const topic = 'note.events';
    const heard = async (id: string, versions: readonly number[]) => {
      const heardOf = async () => (await bed.heard()).get(id)?.versions;
      await until(`${id} to be heard`, async () => (await heardOf())?.length === versions.length);
      expect(await heardOf()).toEqual(versions);
    };
    /** Of each partition by its number the offset after what was read: by our own database, and by the group. */
    const inDatabase = async (): Promise<ReadonlyMap<number, bigint>> => {
      const rows = await bed.sql<{ part: string; cursor: string }>(
        `select part, cursor from consumer_cursor where consumer = 'test.hearing' order by part`,
      );
      const after = (text: string, sign: string) => text.slice(text.lastIndexOf(sign) + 1);
      return new Map(rows.map(({ part, cursor }) => [Number(after(part, '/')), BigInt(after(cursor, ':'))]));
    };
    const admin = new Admin(clientOptions(bed.settings(), 'onlooker'));
    const inGroup = async (): Promise<ReadonlyMap<number, bigint>> => {
      const [group] = await admin.listConsumerGroupOffsets({ groups: [groupId] });
      const { partitions = [] } = group?.topics.find(({ name }) => name === topic) ?? {};
      return new Map(partitions.map(({ partitionIndex, committedOffset }) => [partitionIndex, committedOffset]));
    };

    const listening = await bed.listen([hearing()]);
    const before = await Promise.all(upTo(30).map(() => bed.say('one')));
    for (const id of before) await heard(id, [1]);
    await bed.stop(listening);
    const read = await inDatabase();
    expect([...read.keys()]).toEqual([0, 1, 2, 3]);

    const tooFar = new Map([...read].map(([partition, offset]) => [partition, offset + 1_000n]));
    const somebody = new Consumer({ ...clientOptions(bed.settings(), 'somebody'), groupId, retries: 50 });
    somebody.topics.track(topic);
    await somebody.joinGroup({});
    await somebody.commit({
      offsets: [...tooFar].map(([partition, offset]) => ({ topic, partition, offset, leaderEpoch: -1 })),
    });
    await somebody.close(true);
    expect(await inGroup()).toEqual(tooFar);
    for (const id of before) await bed.extend(id, 'two');
    const meanwhile = await Promise.all(upTo(30).map(() => bed.say('one')));

    await bed.listen([hearing()]);
    const isSetBack = async () => {
      const [told, known] = [await inGroup(), await inDatabase()];
      return known.size === told.size && [...known].every(([partition, offset]) => told.get(partition) === offset);
    };
    await until('it to be in its group', async () => {
      const now = await bed.heard();
      return meanwhile.some((id) => now.has(id));
    });
    const began = performance.now(); // what comes before is its join, which the broker takes its time for
    for (const id of before) await heard(id, [1, 2]);
    for (const id of meanwhile) await heard(id, [1]);
    await until('the offsets to be set back', isSetBack, 10_000 - (performance.now() - began));
    for (const [partition, offset] of await inGroup()) {
      expect(offset).toBeGreaterThan(read.get(partition) ?? 0n);
      expect(offset).toBeLessThan(tooFar.get(partition) ?? 0n);
    }
    await admin.close();
  });

  test('two that call themselves the same say so, once each', async () => {
    const instanceId = randomUUID();
    const post = { consumer: `double.${randomUUID().slice(0, 8)}`, source: 'note' };
    const doubles = ['one', 'other'].map(() => {
      const said: string[] = [];
      const logger = createLogger('info', { write: (line: string) => void said.push(JSON.parse(line).msg) });
      const bus = openKafkaBus({ ...bed.settings(), instanceId }, logger);
      let joined = 0;
      const reader = bus.open(post, ['note.events'], NOBODYS);
      const join = async () => {
        if (!(await reader.holds())) joined += 1; // it does not hold what it had: the group has changed
      };
      return {
        said,
        join,
        joined: () => joined,
        close: async () => {
          await reader.close();
          await bus.close();
        },
      };
    });
    // Until each was pushed out twice, and came back.
    await until(
      'the two to push each other out',
      async () => {
        for (const { join } of doubles) await join();
        return doubles.every(({ joined, said }) => joined() >= 3 && said.length > 0);
      },
      60_000,
    );
    for (const { said } of doubles)
      expect(said).toEqual([
        expect.stringMatching(/another process has the same INSTANCE_ID.*give each copy one of its own/),
      ]);
    for (const { close } of doubles) await close();
  });
});
