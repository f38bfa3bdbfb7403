import { expect, test } from 'vitest';
import type { FeedPosition } from '../event-store/event.ts';
import type { Delivered, Delivery, Reading } from './delivery.ts';
import { type Change, chain, type Standing } from './lanes.ts';
import { type Incident, type RunnerPorts, runConsumer } from './runner.ts';

const TOPIC = 'note.events';
const at = (position: number): FeedPosition => ({ era: 1, tx: String(position), position });
const BEGINNING: Standing = { start: at(0), cursors: new Map(), lanes: new Map() };

const event = (n: number, key: string): Omit<Delivery, 'after'> => {
  const data = { data: '{}', metadata: '{}', recordedAt: '', subject: null, type: 't', schemaVersion: 1 };
  const envelope = { ...data, id: `${n}`, stream: `note-${key}`, version: 1 };
  return { topic: TOPIC, lane: 0, key, at: at(n), envelope };
};
const opened = ({ topic, key, envelope }: Delivery): Delivered => ({
  id: envelope.id,
  event: { type: 't', data: {} },
  meta: { streamId: key, version: 1, occurredAt: '', actor: '' },
  metadata: { correlationId: '', causationId: '', actor: '', requestId: '', occurredAt: '' },
  topic,
  key,
  recordedAt: '',
});
const well = (delivery: Delivery): Reading => ({ kind: 'event', delivery, event: opened(delivery) });
const unreadable = (delivery: Delivery): Reading => {
  return { kind: 'fault', delivery, fault: { cause: 'unreadable', error: 'no JSON' } };
};

/** A consumer for so many rounds, on a bus with events of these keys; what was committed, and what it told. */
const consume = async (rounds: number, keys: readonly string[], ports: Partial<RunnerPorts>) => {
  const deliveries = chain(
    BEGINNING,
    keys.map((key, n) => event(n + 1, key)),
  );
  const committed: Change[] = [];
  const told: Incident['kind'][] = [];
  let now = 0;
  let left = rounds;
  const world: RunnerPorts = {
    holds: async () => true,
    standing: async () => BEGINNING,
    next: async () => ({ deliveries, cursors: [] }),
    read: async (some) => some.map(well),
    carryOut: async () => 'accepted',
    due: async () => [],
    parkedOf: async () => [],
    retryIn: () => null,
    clock: () => now,
    pause: async (ms) => {
      now += ms;
    },
    report: ({ kind }) => void told.push(kind),
    ...ports,
  };
  const carryOut: RunnerPorts['carryOut'] = async (change, events) => {
    const verdict = await world.carryOut(change, events);
    if (verdict === 'accepted') committed.push(change);
    return verdict;
  };
  await runConsumer({ ...world, carryOut }, () => left-- === 0);
  return { committed, told };
};

test('where it cannot be noted that an event is parked, that is tried again, and the event parked once', async () => {
  let failures = 2;
  const { committed, told } = await consume(2, ['a'], {
    read: async (some) => some.map(unreadable),
    carryOut: async () => {
      if (failures-- > 0) throw new Error('no');
      return 'accepted';
    },
  });
  expect(committed.map(({ park }) => park.map(({ fault }) => fault.cause))).toEqual([['unreadable']]);
  expect(told).toEqual(['waiting', 'parked']);
});

test('a consumer that fails at nearly everything goes on once a key went well afterwards, not before', async () => {
  const parked = new Set(Array.from({ length: 30 }, (_, n) => `parked-${n}`));
  const standing: Standing = {
    ...BEGINNING,
    lanes: new Map([[`${TOPIC}/0`, { position: at(0), revision: 1, parked }]]),
  };
  const keys = Array.from({ length: 30 }, (_, n) => `new-${n}`);
  const first = chain(BEGINNING, [event(1, 'parked-0')]);
  let looks = 0;
  const { told } = await consume(3, keys, {
    standing: async () => standing,
    due: async () => {
      looks += 1;
      return looks < 3 ? [{ topic: TOPIC, lane: 0, key: 'parked-0', attempts: 1 }] : [];
    },
    parkedOf: async () => first,
    carryOut: async (_change, events) => {
      if (events.some(({ key }) => key.startsWith('new'))) throw new Error('broken');
      return 'accepted';
    },
  });
  const kinds = told.filter((kind) => kind !== 'parked');
  expect(kinds).toEqual(['settled', 'stopped', 'settled', 'resumed', 'stopped']);
});
