/** What is easily done wrong, done wrong on purpose: each must be found by the rules, or they find nothing else either. */
import { NO_CHANGE } from '../../src/platform/event-bus/lanes.ts';
import type { RelayPorts } from '../../src/platform/event-bus/relay.ts';
import type { RunnerPorts } from '../../src/platform/event-bus/runner.ts';
import type { Config } from './config.ts';
import type { AnyLaw, AnyRule, Planted } from './world.ts';

export type Fault = Planted & {
  readonly name: string;
  /** Which rules may find it: whichever of its consequences comes first. */
  readonly by: readonly AnyRule[];
  /** Brings about what the fault needs to show, where a schedule would rarely draw it. */
  readonly config?: (drawn: Config) => Config;
};

type By = readonly AnyRule[];
const broken = (name: string, by: By, ...breaks: readonly AnyLaw[]): Fault => ({ name, by, breaks });
const consuming = (name: string, by: By, consumer: (ports: RunnerPorts) => RunnerPorts): Fault => ({
  name,
  by,
  consumer,
});
const relaying = (name: string, by: By, relay: (ports: RelayPorts) => RelayPorts): Fault => ({
  name,
  by,
  relay,
  config: (drawn) => ({ ...drawn, bus: 'relayed' }),
});

export const FAULTS: readonly Fault[] = [
  broken(
    'the lane’s revision is forgotten',
    [
      'a cursor passes nothing that its lanes did not',
      'what is parked is not lost',
      'all is done once the faults have ended',
      'an event has its effect once',
      'events of a key have their effects in order',
      'a lane passes no event that was not dealt with',
    ],
    'lanes are moved at the revision that was seen',
    'cursors are moved from where they were seen',
  ),
  broken(
    'the park mark is lost',
    ['events of a key have their effects in order', 'all is done once the faults have ended'],
    'a parked key is marked',
  ),
  broken('a parked event is thrown away', ['a lane passes no event that was not dealt with'], 'parked events are kept'),
  broken(
    'followers of a parked event are thrown away',
    ['a lane passes no event that was not dealt with'],
    'followers are kept',
  ),
  broken(
    'a key is redriven twice',
    [
      'all is done once the faults have ended',
      'a cursor passes nothing that its lanes did not',
      'what is parked is not lost',
      'an event has its effect once',
    ],
    'what is settled is counted',
    'a redrive goes under the revision of its lane',
  ),
  broken(
    'a discard does not ask whether somebody is at it',
    [
      'a cursor passes nothing that its lanes did not',
      'an event has its effect once',
      'what is parked is not lost',
      'all is done once the faults have ended',
    ],
    'a discard goes under the revision of its lane',
  ),
  {
    ...broken(
      'a registration is taken for its predecessor',
      [
        'all is done once the faults have ended',
        'an event has its effect once',
        'events of a key have their effects in order',
        'a lane passes no event that was not dealt with',
        'a cursor passes nothing that its lanes did not',
      ],
      'a change is of the registration that was seen',
    ),
    config: (drawn) => ({
      ...drawn,
      retires: true,
      readers: 3,
      steps: 400,
      rates: { ...drawn.rates, late: 0.06, slow: 0.06, frozen: 0.05 },
    }),
  },
  broken(
    'the feed is read by position alone',
    [
      'a cursor passes nothing that its lanes did not',
      'all is done once the faults have ended',
      'first copies of a lane come in order, without gaps',
      'a checkpoint passes nothing that is not on the bus',
      'a predecessor is the predecessor',
      'a lane passes no event that was not dealt with',
      'events of a key have their effects in order',
    ],
    'the feed ends below the oldest transaction',
  ),
  broken(
    'work that is held is claimed',
    ['work is settled by its last claim alone', 'work is claimed by one at a time'],
    'nobody claims what is held',
    'what is settled is settled under its token',
  ),
  broken('a lease is never over', ['all is done once the faults have ended'], 'a lease that is over can be taken over'),
  broken(
    'the fencing token is ignored',
    ['work is settled by its last claim alone'],
    'what is settled is settled under its token',
  ),
  {
    ...broken('anybody postpones', ['work is claimed by one at a time'], 'only its holder postpones'),
    config: (drawn) => ({
      ...drawn,
      workers: 2,
      natures: ['mail'],
      rates: { ...drawn.rates, frozen: 0.05, slow: 0.05 },
    }),
  },
  broken(
    'due is what the process thinks is due',
    ['a timer fires when it is due', 'work is claimed by one at a time'],
    'what is due is due by the clock of the database',
  ),
  broken(
    'a firing leaves its timer behind',
    ['what was planned anew does not fire as before', 'a timer fires once'],
    'a firing removes its timer',
    'a stream is at the version that was seen',
  ),
  broken(
    'a mail is settled before it is sent',
    ['a mail that is settled was sent'],
    'a mail is sent before it is settled',
  ),
  consuming('the cursor is moved before the effect', ['a lane passes no event that was not dealt with'], (ports) => ({
    ...ports,
    carryOut: async (change, events) => {
      const ahead = await ports.carryOut({ ...change, park: [], queue: [] }, []);
      return ahead === 'accepted' && events.length > 0
        ? ports.carryOut({ moves: [], park: [], queue: [] }, events)
        : ahead;
    },
  })),
  consuming(
    'what fails is passed over',
    ['a lane passes no event that was not dealt with', 'what is parked is not lost'],
    (ports) => ({
      ...ports,
      carryOut: async (change, events) => {
        try {
          return await ports.carryOut(change, events);
        } catch (error) {
          if (error instanceof Error && 'refusal' in error) throw error;
          return ports.carryOut(change, []);
        }
      },
    }),
  ),
  consuming(
    'a twin is handled',
    [
      'a cursor passes nothing that its lanes did not',
      'an event has its effect once',
      'all is done once the faults have ended',
    ],
    (ports) => ({
      ...ports,
      standing: async () => {
        const standing = await ports.standing();
        const lanes = [...standing.lanes].map(([name, lane]) => [name, { ...lane, position: standing.start }] as const);
        return { ...standing, lanes: new Map(lanes) };
      },
    }),
  ),
  consuming(
    'a follower is handled before its parked elder',
    ['events of a key have their effects in order', 'all is done once the faults have ended'],
    (ports) => ({
      ...ports,
      standing: async () => {
        const standing = await ports.standing();
        const lanes = [...standing.lanes].map(
          ([name, lane]) => [name, { ...lane, parked: new Set<string>() }] as const,
        );
        return { ...standing, lanes: new Map(lanes) };
      },
    }),
  ),
  {
    name: 'the predecessor is ignored',
    by: ['events of a key have their effects in order', 'a lane passes no event that was not dealt with'],
    config: (drawn) => ({ ...drawn, bus: 'relayed', misplaced: 0.3 }),
    consumer: (ports) => ({
      ...ports,
      next: async (standing) => {
        const { deliveries, cursors } = await ports.next(standing);
        return { deliveries: deliveries.map((delivery) => ({ ...delivery, after: standing.start })), cursors };
      },
    }),
  },
  relaying(
    'the checkpoint is stored before the acknowledgement',
    ['a checkpoint passes nothing that is not on the bus'],
    (ports) => {
      let unsent: Parameters<RelayPorts['send']>[0] = [];
      return {
        ...ports,
        send: async (deliveries) => {
          unsent = deliveries;
        },
        store: async (checkpoint) => {
          const stored = await ports.store(checkpoint);
          await ports.send(unsent);
          return stored;
        },
      };
    },
  ),
  relaying('a send is not waited for', ['a checkpoint passes nothing that is not on the bus'], (ports) => ({
    ...ports,
    send: async (deliveries) => {
      ports.send(deliveries).catch(() => undefined);
    },
  })),
  relaying('the relay names no predecessors', ['a predecessor is the predecessor'], (ports) => ({
    ...ports,
    send: (deliveries) => ports.send(deliveries.map((delivery) => ({ ...delivery, after: delivery.at }))),
  })),
  broken(
    'a row is written over what others wrote',
    ['a row has every event that it was folded from'],
    'rows are written over what was read',
  ),
  consuming('the effect is committed before the position', ['an event has its effect once'], (ports) => ({
    ...ports,
    carryOut: async (change, events) => {
      if (events.length === 0) return ports.carryOut(change, events);
      const done = await ports.carryOut(NO_CHANGE, events);
      return done === 'accepted' ? ports.carryOut(change, []) : done;
    },
  })),
  consuming(
    'what is parked is redriven newest first',
    ['all is done once the faults have ended', 'events of a key have their effects in order'],
    (ports) => ({
      ...ports,
      parkedOf: async (key) => (await ports.parkedOf(key)).toReversed(),
    }),
  ),
  consuming('what fails once more is dropped', ['what is parked is not lost'], (ports) => ({
    ...ports,
    carryOut: async (change, events) => {
      try {
        return await ports.carryOut(change, events);
      } catch (error) {
        if (!change.settle || (error instanceof Error && 'refusal' in error)) throw error;
        return ports.carryOut(change, []);
      }
    },
  })),
  consuming(
    'a consumer never looks again where it stands',
    [
      'all is done once the faults have ended',
      'events of a key have their effects in order',
      'an event has its effect once',
    ],
    (ports) => {
      let first: ReturnType<RunnerPorts['standing']> | undefined;
      return { ...ports, standing: () => (first ??= ports.standing()) };
    },
  ),
  broken(
    'a job begins apart from the effect that it comes of',
    ['all is done once the faults have ended'],
    'a job begins with the effect',
  ),
  relaying('two halves are sent at once', ['first copies of a lane come in order, without gaps'], (ports) => ({
    ...ports,
    send: async (deliveries) => {
      const half = Math.ceil(deliveries.length / 2);
      await Promise.all([ports.send(deliveries.slice(0, half)), ports.send(deliveries.slice(half))]);
    },
  })),
  relaying(
    'a send that failed is taken for done',
    ['a checkpoint passes nothing that is not on the bus', 'first copies of a lane come in order, without gaps'],
    (ports) => ({
      ...ports,
      send: (deliveries) => ports.send(deliveries).catch(() => undefined),
    }),
  ),
  relaying('the checkpoint forgets how the lanes went', ['a predecessor is the predecessor'], (ports) => ({
    ...ports,
    checkpoint: async () => ({ ...(await ports.checkpoint()), lanes: new Map() }),
  })),
];
