import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { FeedPosition } from '../event-store/event.ts';
import type { Delivered, Delivery, Reading } from './delivery.ts';
import { admit, afterChange, chain, Gap, laneAt, NO_CHANGE, type Standing, touch } from './lanes.ts';

const TOPIC = 'note.events';
const at = (position: number): FeedPosition => ({ era: 1, tx: String(position), position });
const NOWHERE: Standing = { start: at(0), cursors: new Map(), lanes: new Map() };
const never = () => null;

/** The n-th event of a source, in its lane by its key; the letters are the keys, two of which share a lane. */
const LANES: Readonly<Record<string, number>> = { a: 1, b: 1, c: 2 };
const event = (n: number, key: string): Omit<Delivery, 'after'> => {
  const stream = `note-${key}`;
  const data = { data: '{}', metadata: '{}', recordedAt: '', subject: null, type: 't', schemaVersion: 1 };
  return { topic: TOPIC, lane: LANES[key] ?? 0, key, at: at(n), envelope: { ...data, id: `${n}`, stream, version: n } };
};
const events = (keys: string): readonly Delivery[] =>
  chain(
    NOWHERE,
    [...keys].map((key, n) => event(n + 1, key)),
  );
const reading = (delivery: Delivery): Reading => {
  const { topic, key, envelope } = delivery;
  const meta = { streamId: key, version: envelope.version, occurredAt: '', actor: '' };
  const metadata = { correlationId: '', causationId: '', actor: '', requestId: '', occurredAt: '' };
  const opened: Delivered = {
    id: envelope.id,
    event: { type: 't', data: {} },
    meta,
    metadata,
    topic,
    key,
    recordedAt: '',
  };
  return { kind: 'event', delivery, event: opened };
};
const faulty = (delivery: Delivery): Reading => ({
  kind: 'fault',
  delivery,
  fault: { cause: 'unreadable', error: 'no JSON' },
});
const ids = (all: readonly { readonly id: string }[]) => all.map(({ id }) => Number(id));

describe('of what is delivered', () => {
  test('each event is handled once, in order, however often and in whatever pieces a lane is delivered again', () => {
    const keys = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 12 }).map((all) => all.join(''));
    const cuts = fc.array(fc.tuple(fc.nat(11), fc.nat(12)), { maxLength: 12 });
    fc.assert(
      fc.property(keys, cuts, (written, pieces) => {
        const all = events(written);
        let standing = NOWHERE;
        const handled: number[] = [];
        const deliver = (piece: readonly Delivery[]) => {
          const admission = admit(standing, piece.map(reading), never);
          handled.push(...ids(admission.events));
          standing = afterChange(standing, admission.change);
        };
        for (const [from, count] of pieces) {
          try {
            deliver(all.slice(from, from + count));
          } catch (error) {
            if (!(error instanceof Gap)) throw error; // it began behind what was delivered so far: nothing happened
          }
        }
        deliver(all);
        deliver(all);
        expect(handled.toSorted((a, b) => a - b)).toEqual(all.map(({ at: { position } }) => position));
        for (const lane of [1, 2]) {
          const ofLane = handled.filter((n) => LANES[written[n - 1] ?? ''] === lane);
          expect(ofLane).toEqual(ofLane.toSorted((a, b) => a - b));
        }
      }),
    );
  });

  test('a gap stops everything: nothing of the slice is handled, and it says where', () => {
    const [first, , third] = events('aaa');
    if (!first || !third) throw new Error('three events are three');
    const standing = afterChange(NOWHERE, admit(NOWHERE, [reading(first)], never).change);
    expect(() => admit(standing, [reading(third)], never)).toThrow(
      'lane 1 of note.events stands at 1:1:1, but what comes next is 1:3:3 after 1:2:2',
    );
  });

  test('what is nothing to the consumer moves its lane all the same', () => {
    const [one] = events('c');
    if (!one) throw new Error('one event is one');
    const { events: handled, change } = admit(NOWHERE, [{ kind: 'other', delivery: one }], never);
    expect(handled).toEqual([]);
    expect(change.moves).toEqual([{ topic: TOPIC, lane: 2, revision: 0, to: at(1) }]);
  });

  test('an unreadable event parks its key, and its followers in the same slice; another key of the lane goes on', () => {
    const all = events('aaba');
    const readings = all.map((delivery, n) => (n === 1 ? faulty(delivery) : reading(delivery)));
    const { events: handled, change } = admit(NOWHERE, readings, () => 5);
    expect(ids(handled)).toEqual([1, 3]);
    expect(change.park.map(({ delivery, retryIn }) => [delivery.at.position, retryIn])).toEqual([[2, 5]]);
    expect(change.queue.map(({ at: { position } }) => position)).toEqual([4]);
    const then = afterChange(NOWHERE, change);
    expect([...laneAt(then, TOPIC, 1).parked]).toEqual(['a']);
    const later = chain(then, [event(5, 'a'), event(6, 'b')]);
    const next = admit(then, later.map(reading), never);
    expect(ids(next.events)).toEqual([6]);
    expect(next.change.queue.map(({ at: { position } }) => position)).toEqual([5]);
  });
});

describe('every change of a lane', () => {
  test('insists on the revision that was seen, and raises it by one', () => {
    let standing = NOWHERE;
    for (const n of [1, 2, 3]) {
      const { change } = admit(standing, chain(standing, [event(n, 'a')]).map(reading), never);
      expect(change.moves.map(({ revision }) => revision)).toEqual([n - 1]);
      standing = afterChange(standing, change);
    }
    const key = { topic: TOPIC, lane: 1, key: 'a', attempts: 1 };
    expect(touch(standing, key)).toEqual({ topic: TOPIC, lane: 1, revision: 3, to: at(3) });
  });

  test('a key that is settled whole is parked no more; one with more behind it still is', () => {
    const [first] = events('a');
    if (!first) throw new Error('one event is one');
    const parked = afterChange(NOWHERE, admit(NOWHERE, [faulty(first)], never).change);
    const key = { topic: TOPIC, lane: 1, key: 'a', attempts: 1 };
    const settled = (emptied: boolean) =>
      afterChange(parked, {
        ...NO_CHANGE,
        moves: [touch(parked, key)],
        settle: { key, deliveries: [first], emptied },
      });
    expect(laneAt(settled(false), TOPIC, 1).parked.size).toBe(1);
    expect(laneAt(settled(true), TOPIC, 1).parked.size).toBe(0);
  });
});
