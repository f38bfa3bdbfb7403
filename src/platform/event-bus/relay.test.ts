import { describe, expect, test } from 'vitest';
import { FEED_START, type FeedPosition } from '../event-store/event.ts';
import type { Delivery } from './delivery.ts';
import { type Checkpoint, publication, type RelayIncident, type RelayPorts, runRelay } from './relay.ts';

const place = (position: number): FeedPosition => ({ era: 1, tx: String(position), position });
const event = (position: number, lane = 0): Omit<Delivery, 'after'> => ({
  topic: 'notes',
  lane,
  key: `key-${lane}`,
  at: place(position),
  envelope: {
    id: `e${position}`,
    stream: 'note-1',
    version: position,
    subject: null,
    type: 'note.written',
    schemaVersion: 1,
    data: '{}',
    metadata: '{}',
    recordedAt: '2026-01-01T00:00:00.000Z',
  },
});
const fresh: Checkpoint = { revision: 0, position: FEED_START, lanes: new Map() };
const positions = (deliveries: readonly { readonly at: FeedPosition }[]) => deliveries.map(({ at }) => at.position);

describe('what is published of a feed', () => {
  test('each event gets its predecessor in the lane: from the same send, from the checkpoint, or none', () => {
    const checkpoint = { ...fresh, revision: 4, position: place(7), lanes: new Map([['notes/0', place(6)]]) };
    const { deliveries, reached } = publication(checkpoint, [event(8), event(9, 1), event(10), event(11, 1)]);
    expect(deliveries.map(({ after }) => after.position)).toEqual([6, 0, 8, 9]);
    expect(reached).toEqual({
      revision: 5,
      position: place(11),
      lanes: new Map([
        ['notes/0', place(10)],
        ['notes/1', place(11)],
      ]),
    });
  });
});

/** A store and a bus of one lane, for so many rounds. */
const relay = async (rounds: number, ports: Partial<RelayPorts> = {}) => {
  const events = [1, 2, 3, 4, 5].map((position) => event(position));
  const bus: Delivery[] = [];
  const incidents: (RelayIncident['kind'] | 'aside')[] = [];
  const pauses: number[] = [];
  const stored: Checkpoint[] = [];
  const world: RelayPorts = {
    leads: async () => true,
    checkpoint: async () => stored.at(-1) ?? fresh,
    feed: async ({ position }) => events.filter(({ at }) => at.position > position).slice(0, 2),
    send: async (deliveries) => void bus.push(...deliveries),
    store: async (checkpoint) => {
      const known = checkpoint.revision === (stored.at(-1)?.revision ?? 0) + 1;
      if (known) stored.push(checkpoint);
      return known;
    },
    stepAside: async () => void incidents.push('aside'),
    pause: async (ms) => void pauses.push(ms),
    report: ({ kind }) => void incidents.push(kind),
    ...ports,
  };
  let round = 0;
  await runRelay(world, () => {
    round += 1;
    return round > rounds;
  });
  return { bus, incidents, pauses, stored };
};

describe('a relay', () => {
  test('publishes all of the feed in its order, and stores how far it is after each send', async () => {
    const { bus, stored, incidents } = await relay(3);
    expect(positions(bus)).toEqual([1, 2, 3, 4, 5]);
    expect(stored.map(({ position }) => position.position)).toEqual([2, 4, 5]);
    expect(incidents).toEqual([]);
  });

  test('sends again what nobody can tell of, from where it is known to be, and waits ever longer', async () => {
    const sent: Delivery[] = [];
    let tries = 0;
    const { incidents, pauses, stored } = await relay(6, {
      send: async (deliveries) => {
        tries += 1;
        sent.push(...deliveries);
        if (tries < 4) throw new Error('no answer');
      },
    });
    expect(positions(sent)).toEqual([1, 2, 1, 2, 1, 2, 1, 2, 3, 4, 5]);
    expect(sent.map(({ after }) => after.position)).toEqual([0, 1, 0, 1, 0, 1, 0, 1, 2, 3, 4]);
    expect(pauses).toEqual([100, 400, 1_600]);
    expect(incidents, 'the third time another one may try').toEqual(['waiting', 'waiting', 'waiting', 'aside']);
    expect(stored.at(-1)?.position).toEqual(place(5));
  });

  test('never sends before the send before it was acknowledged, nor stores before it', async () => {
    const steps: string[] = [];
    await relay(3, {
      send: async () => {
        steps.push('send');
        await new Promise((resolve) => setImmediate(resolve));
        steps.push('acknowledged');
      },
      store: async () => {
        steps.push('store');
        return true;
      },
    });
    expect(steps.slice(0, 6)).toEqual(['send', 'acknowledged', 'store', 'send', 'acknowledged', 'store']);
  });

  test('looks where it is when another one stored a checkpoint, and goes on behind that', async () => {
    const others = { revision: 7, position: place(4), lanes: new Map([['notes/0', place(4)]]) };
    const stored: Checkpoint[] = [];
    const { bus, incidents } = await relay(3, {
      checkpoint: async () => stored.at(-1) ?? fresh,
      store: async (checkpoint) => {
        stored.push(stored.length === 0 ? others : checkpoint);
        return stored.length > 1;
      },
    });
    expect(positions(bus)).toEqual([1, 2, 5]);
    expect(bus.at(-1)?.after).toEqual(place(4));
    expect(stored.at(-1)?.revision).toBe(8);
    expect(incidents).toEqual(['overtaken']);
  });

  test('publishes nothing while another one leads, and then looks where that one came to', async () => {
    const others = { revision: 7, position: place(4), lanes: new Map([['notes/0', place(4)]]) };
    let asked = 0;
    const turns = [false, false, true];
    const { bus } = await relay(3, {
      leads: async () => turns.shift() ?? false,
      checkpoint: async () => {
        asked += 1;
        return others;
      },
    });
    expect(asked).toBe(1);
    expect(positions(bus)).toEqual([5]);
  });
});
