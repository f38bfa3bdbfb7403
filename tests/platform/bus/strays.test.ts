/** What anybody may put on a broker, as the database of a consumer gets it. */
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Delivery, Stray } from '../../../src/platform/event-bus/delivery.ts';
import { fromRecord } from '../../../src/platform/event-bus/kafka/cloud-event.ts';
import { type Change, NO_CHANGE, withStrays } from '../../../src/platform/event-bus/lanes.ts';
import { changeWrites, readStanding } from '../../../src/platform/event-bus/positions.ts';
import { register } from '../../../src/platform/event-bus/registration.ts';
import { FEED_START } from '../../../src/platform/event-store/event.ts';
import { testBed, upTo } from '../bed.ts';
import { commitOf } from '../notes.ts';

const bed = testBed();
const isStray = (one: Delivery | Stray): one is Stray => 'kind' in one;

const ids = fc.tuple(fc.nat(), fc.bigInt({ min: 0n, max: 2n ** 65n }), fc.nat()).map((parts) => parts.join(':'));
const instants = fc.tuple(fc.nat(9_999), fc.nat(13), fc.nat(32)).map(([year, month, day]) => {
  const [y, m, d] = [String(year).padStart(4, '0'), String(month).padStart(2, '0'), String(day).padStart(2, '0')];
  return `${y}-${m}-${d}T00:00:00.000Z`;
});
const words = fc.oneof(ids, instants, fc.integer().map(String), fc.string({ unit: 'binary', maxLength: 20 }));
const junk = fc.oneof(
  words.map((text) => Buffer.from(text)),
  fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
  fc.constant(null),
);
/** Of an event that a relay of ours sent, and what was made of its headers. */
const HEADERS = {
  ce_specversion: '1.0',
  ce_source: '/taskwire/note',
  ce_id: randomUUID(),
  ce_subject: 'note-1',
  ce_sequence: '1',
  ce_person: 'ada',
  ce_type: 'note.written',
  ce_dataschema: 'urn:taskwire:event:note.written:1',
  ce_recordedat: '2026-11-25T10:00:00.123Z',
  ce_position: '1:2:3',
  ce_predecessor: '0:0:0',
  ce_actor: 'ada',
};
const headers = fc.array(fc.tuple(fc.constantFrom(...Object.keys(HEADERS)), junk), { maxLength: 4 }).map((made) =>
  [...Object.entries(HEADERS), ...made].map(([name, value]) => {
    return [Buffer.from(name), typeof value === 'string' ? Buffer.from(value) : value] as const;
  }),
);
const timestamp = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const records = fc.array(fc.record({ key: junk, value: junk, headers, timestamp }), { maxLength: 100 });

/** A consumer's database: commits what is parked for it, and answers with the verdict. */
const begun = async () => {
  const { database, commands } = bed.open();
  const post = { consumer: 'test.hearing', source: 'note' };
  await register(database, { name: post.consumer, begins: 'beginning' }, post.source, async () => FEED_START);
  return async (park: Change['park'], strays: readonly Stray[]) => {
    const standing = await readStanding(database, post);
    const writes = changeWrites(post, standing.registration, withStrays(standing, { ...NO_CHANGE, park }, strays));
    return (await commands.executor.commit({ ...commitOf(), writes })).verdict;
  };
};

test('records that are no events are parked, however many and large come at once', async () => {
  const commit = await begun();
  const value = Buffer.alloc(6 * 1024 * 1024, 1); // as JSON each sign is six
  const headers = Object.keys(HEADERS).map((name) => [Buffer.from(name), value] as const);
  const strays = upTo(200).map((n) =>
    fromRecord(
      'note',
      { topic: 'note.events', partition: 3, offset: BigInt(n), timestamp: 1n },
      { key: null, value, headers },
    ),
  );
  expect(await commit([], strays.filter(isStray))).toBe('accepted');
});

test('a record can be parked, whatever it is made of', async () => {
  const commit = await begun();
  const came = { strays: 0, events: 0 };
  await fc.assert(
    fc.asyncProperty(records, async (some) => {
      const read = some.map((record, n) => {
        const place = { topic: 'note.events', partition: 3, offset: BigInt(n), timestamp: record.timestamp };
        return fromRecord('note', place, record);
      });
      const strays = read.filter(isStray);
      const events = read.filter((one): one is Delivery => !('kind' in one));
      came.strays += strays.length;
      came.events += events.length;
      const park = events.map((delivery, n) => ({
        delivery: { ...delivery, key: `${n} ${randomUUID()}` }, // each by itself, whatever place it claims
        fault: { cause: 'unreadable', error: 'none can read it' } as const,
        retryIn: null,
      }));
      expect(await commit(park, strays)).toBe('accepted');
    }),
    { numRuns: 30 },
  );
  expect(Math.min(came.strays, came.events), 'both are among them').toBeGreaterThan(0);
});
