/**
 * Carries what a service publishes to a bus that keeps it: what lies in the feed after the checkpoint, in the feed's order.
 *
 *   do we lead? ─► the checkpoint ─► what comes next in the feed ─► send it ─► all acknowledged ─► store the checkpoint
 *       ▲                                          ▲                   │                                 │       │
 *       │ wait, look again, and send it once more  │                   │ refused, or nobody can tell     │       │
 *       ├──────────────────────────────────────────┼───────────────────┘                                 │       │
 *       │                                          └── go on ◄────────── it was still the one we knew ──┘       │
 *       └──────────────────────────────────────────────────────────────── another relay was here ◄──────────────┘
 *
 * An event may be published twice. None is skipped, and the first copies of a lane come in the lane's order, whoever else
 * believes to lead: every send is a piece of the one feed that begins where everything before it was acknowledged. So
 * leadership saves work, and nothing rests on it; who fails again and again steps aside for others. A relay that was frozen publishes what others published since, and
 * then finds that the checkpoint is not the one it knew.
 *
 * All that it asks of the world are its ports, so that a simulation can be the world.
 */
import type { FeedPosition } from '../event-store/event.ts';
import type { Delivery } from './delivery.ts';
import { laneName, linked } from './lanes.ts';

/** How far a feed was published. Kept by the service that publishes it. */
export type Checkpoint = {
  /** Raised by each store of it; 0 = it was never stored. */
  readonly revision: number;
  /** Everything up to here was acknowledged by the bus. */
  readonly position: FeedPosition;
  /** Of each lane by its name the last event up to there: the predecessor of the lane's next. */
  readonly lanes: ReadonlyMap<string, FeedPosition>;
};

export type RelayPorts = {
  /** Whether this process is the one to publish just now; waits a little where it is not. */
  readonly leads: () => Promise<boolean>;
  readonly checkpoint: () => Promise<Checkpoint>;
  /**
   * What is published after a place, in the feed's order and never less than all of it up to the last one answered; waits
   * a little where there is nothing, then answers none.
   */
  readonly feed: (after: FeedPosition) => Promise<readonly Omit<Delivery, 'after'>[]>;
  /**
   * Answers once the bus has acknowledged all of them. Of the events of a lane the bus keeps the order given here, and
   * none without those before it. Rejects where any was refused, or nobody can tell; by then nothing of it is under way
   * in this process any more.
   */
  readonly send: (deliveries: readonly Delivery[]) => Promise<void>;
  /** Stores a checkpoint, where the stored one still has the revision before it. Answers whether it had. */
  readonly store: (checkpoint: Checkpoint) => Promise<boolean>;
  /** Lets another one lead, if there is one, before this one does again: it may reach what this one cannot. Never rejects. */
  readonly stepAside: () => Promise<void>;
  readonly pause: (ms: number) => Promise<void>;
  readonly report: (incident: RelayIncident) => void;
};

/** overtaken: another relay publishes too. waiting: the store or the bus cannot be asked; it is tried again. */
export type RelayIncident = { readonly kind: 'overtaken' } | { readonly kind: 'waiting'; readonly error: unknown };

/** Events that are sent at once, at the most: so many may come once more. See RelayPorts.feed. */
export const LARGEST_SLICE = 2_000;
const PAUSE = 100;
const LONGEST_PAUSE = 5_000;
/** Rounds in a row that failed, from which on it is this process that cannot; the pause is longer than others' by then. */
const MUST_STEP_ASIDE = 3;

/** Runs until `stopping`, one send at a time; never rejects. */
export const runRelay = async (ports: RelayPorts, stopping: () => boolean): Promise<void> => {
  let checkpoint: Checkpoint | undefined;
  let trouble = 0;
  const round = async (): Promise<void> => {
    if (!(await ports.leads())) {
      checkpoint = undefined; // whoever leads moves it
      return;
    }
    checkpoint ??= await ports.checkpoint();
    const events = await ports.feed(checkpoint.position);
    if (events.length === 0) return;
    const { deliveries, reached } = publication(checkpoint, events);
    await ports.send(deliveries);
    const stored = await ports.store(reached);
    checkpoint = stored ? reached : undefined;
    if (!stored) ports.report({ kind: 'overtaken' });
  };
  while (!stopping()) {
    try {
      await round();
      trouble = 0;
    } catch (error) {
      checkpoint = undefined;
      ports.report({ kind: 'waiting', error });
      trouble += 1;
      if (trouble >= MUST_STEP_ASIDE) await ports.stepAside();
      await ports.pause(Math.min(LONGEST_PAUSE, PAUSE * 4 ** Math.min(trouble - 1, 8)));
    }
  }
};

/** What is to be sent of a feed that goes on with some events, and the checkpoint once it was acknowledged. Pure. */
export const publication = (
  { revision, position, lanes }: Checkpoint,
  events: readonly Omit<Delivery, 'after'>[],
): { readonly deliveries: readonly Delivery[]; readonly reached: Checkpoint } => {
  const deliveries = linked((topic, lane) => lanes.get(laneName(topic, lane)), events);
  const ends = deliveries.map(({ topic, lane, at }): [string, FeedPosition] => [laneName(topic, lane), at]);
  const reached = {
    revision: revision + 1,
    position: events.at(-1)?.at ?? position,
    lanes: new Map([...lanes, ...ends]),
  };
  return { deliveries, reached };
};
