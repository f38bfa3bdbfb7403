/**
 * Where a consumer stands in a source, and what becomes of what is delivered. Pure.
 *
 * A lane's position is that of the last event that was dealt with. Of what comes next in the lane
 *
 *   event ≤ position               ─► a twin: it was dealt with, and is dropped
 *   predecessor ≤ position < event ─► its turn:  handled, or passed over where the consumer has no use for it;
 *                                                queued where its key is parked; parked with its key where it is unreadable
 *   predecessor > position         ─► a gap: something is missing before it; nothing is handled, and somebody is told
 *
 * Position and effect are written together, under the lane's revision: of two processes that both think the lane is
 * theirs, the second to commit finds another revision, and has no effect.
 */
import { comparePositions, FEED_START, type FeedPosition, positionText } from '../event-store/event.ts';
import type { Delivered, Delivery, Fault, Reading, Stray } from './delivery.ts';

export type Lane = {
  readonly position: FeedPosition;
  /** Raised by each commit of the lane; 0 = it has no row yet. */
  readonly revision: number;
  /** Keys of which an event waits to be handled again, and all after it behind it. */
  readonly parked: ReadonlySet<string>;
};
/** What a consumer's database knows of one source. */
export type Standing = {
  /** Nothing up to here is for this consumer. */
  readonly start: FeedPosition;
  /** Of a consumer that was retired and registered again it is another one. */
  readonly registration?: string;
  /** How far each part of the bus was read, in the bus's own terms. */
  readonly cursors: ReadonlyMap<string, string>;
  readonly lanes: ReadonlyMap<string, Lane>;
};

/** A lane to be moved, by whoever saw it at `revision`. */
export type Move = {
  readonly topic: string;
  readonly lane: number;
  readonly revision: number;
  readonly to: FeedPosition;
};
export type CursorMove = { readonly part: string; readonly from: string | undefined; readonly to: string };
type Parking = {
  readonly delivery: Delivery;
  readonly fault: Fault;
  /** ms from now; null = not by itself. */
  readonly retryIn: number | null;
};
/** What one commit changes of where a consumer stands. All of it with the effects, or none. */
export type Change = {
  readonly moves: readonly Move[];
  readonly cursors?: readonly CursorMove[];
  /** Each parks its key. */
  readonly park: readonly Parking[];
  /** These wait behind a parked one of their key. */
  readonly queue: readonly Delivery[];
  /** Parked events that are dealt with now; `emptied` when nothing is parked of the key any more. */
  readonly settle?: { readonly key: ParkedKey; readonly deliveries: readonly Delivery[]; readonly emptied: boolean };
  /** It failed once more. */
  readonly postpone?: { readonly key: ParkedKey; readonly fault: Fault; readonly retryIn: number | null };
  /** Parked for good, each under its own name: see withStrays. */
  readonly strays?: readonly Stray[];
};
export type ParkedKey = {
  readonly topic: string;
  readonly lane: number;
  readonly key: string;
  readonly attempts: number;
};
export const NO_CHANGE: Change = { moves: [], park: [], queue: [] };

/** What a lane is called where lanes are looked up. */
export const laneName = (topic: string, lane: number): string => `${topic}/${lane}`;
/** A lane as it stands; one without a row stands where the consumer began, at revision 0. */
export const laneAt = ({ lanes, start }: Standing, topic: string, lane: number): Lane =>
  lanes.get(laneName(topic, lane)) ?? { position: start, revision: 0, parked: new Set() };

/** Something is missing in a lane: the bus lost an event, or the store was set back behind what was read. */
export class Gap extends Error {
  override readonly name = 'Gap';
  constructor({ topic, lane, at, after }: Delivery, position: FeedPosition) {
    const words = [position, after, at].map(positionText);
    super(`lane ${lane} of ${topic} stands at ${words[0]}, but what comes next is ${words[2]} after ${words[1]}`);
  }
}

export type Admission = {
  /** Whose turn it is, in their order. */
  readonly events: readonly Delivered[];
  readonly change: Change;
};

/** What becomes of some deliveries. Those of a lane come in the lane's order; twins may be among them. Throws Gap. */
export const admit = (standing: Standing, readings: readonly Reading[], retryIn: Retry): Admission => {
  const positions = new Map<string, { readonly lane: Lane; to: FeedPosition; readonly delivery: Delivery }>();
  const parkedNow = new Set<string>();
  const events: Delivered[] = [];
  const park: Parking[] = [];
  const queue: Delivery[] = [];
  for (const reading of readings) {
    const { delivery } = reading;
    const { topic, lane: number, key, at, after } = delivery;
    const name = laneName(topic, number);
    const known = positions.get(name);
    const lane = known?.lane ?? laneAt(standing, topic, number);
    const position = known?.to ?? lane.position;
    if (comparePositions(at, position) <= 0) continue;
    if (comparePositions(after, position) > 0) throw new Gap(delivery, position);
    positions.set(name, { lane, to: at, delivery });
    if (lane.parked.has(key) || parkedNow.has(`${name}/${key}`)) queue.push(delivery);
    else if (reading.kind === 'event') events.push(reading.event);
    else if (reading.kind === 'fault') {
      parkedNow.add(`${name}/${key}`);
      park.push({ delivery, fault: reading.fault, retryIn: retryIn(reading.fault, 1) });
    }
  }
  const moves = [...positions.values()].map(({ lane, to, delivery }) => ({
    topic: delivery.topic,
    lane: delivery.lane,
    revision: lane.revision,
    to,
  }));
  return { events, change: { moves, park, queue } };
};

/** When a key is tried again after so many attempts: ms, or null for not by itself. */
export type Retry = (fault: Fault, attempts: number) => number | null;

/** The same deliveries where the only event among them failed: it is parked, and nothing is handled. */
export const parkInstead = ({ change }: Admission, delivery: Delivery, fault: Fault, retryIn: Retry): Change => ({
  ...change,
  park: [...change.park, { delivery, fault, retryIn: retryIn(fault, 1) }],
});

/** Where a consumer stands once a change is committed. */
export const afterChange = (
  standing: Standing,
  { moves, cursors = [], park, settle, strays = [] }: Change,
): Standing => {
  const lanes = new Map(standing.lanes);
  const parkedNow = [...park.map(({ delivery }) => delivery), ...strays];
  for (const { topic, lane, revision, to } of moves) {
    const name = laneName(topic, lane);
    const parked = new Set(laneAt(standing, topic, lane).parked);
    for (const one of parkedNow) if (laneName(one.topic, one.lane) === name) parked.add(one.key);
    if (settle?.emptied && laneName(settle.key.topic, settle.key.lane) === name) parked.delete(settle.key.key);
    lanes.set(name, { position: to, revision: revision + 1, parked });
  }
  return { ...standing, lanes, cursors: cursorsAfter(standing, cursors) };
};

/** The cursors once some have moved. What did not move stays. */
export const cursorsAfter = ({ cursors }: Standing, moves: readonly CursorMove[]): Standing['cursors'] =>
  moves.length === 0 ? cursors : new Map([...cursors, ...moves.map(({ part, to }) => [part, to] as const)]);

/** The lane of a parked key stays where it is; its revision says that what is parked in it changed. */
export const touch = (standing: Standing, { topic, lane }: Pick<ParkedKey, 'topic' | 'lane'>): Move => {
  const { position, revision } = laneAt(standing, topic, lane);
  return { topic, lane, revision, to: position };
};

/** A change where strays came too: they are parked, and hold up nobody, for no event belongs behind them. */
export const withStrays = (standing: Standing, change: Change, strays: readonly Stray[] = []): Change => {
  if (strays.length === 0) return change;
  const moved = new Set(change.moves.map(({ topic, lane }) => laneName(topic, lane)));
  const others = new Map(strays.map((stray) => [laneName(stray.topic, stray.lane), stray]));
  const touched = [...others].filter(([name]) => !moved.has(name)).map(([, stray]) => touch(standing, stray));
  return { ...change, moves: [...change.moves, ...touched], strays };
};

/** Deliveries made of a source's events as they lie one behind the other: each gets the place of the one before it. */
export const chain = <E extends Omit<Delivery, 'after'>>(
  standing: Standing,
  events: readonly E[],
): readonly (E & Delivery)[] => linked((topic, lane) => laneAt(standing, topic, lane).position, events);

/** The same, where somebody else knows how a lane went before; undefined = it begins here. */
export const linked = <E extends Omit<Delivery, 'after'>>(
  lastOf: (topic: string, lane: number) => FeedPosition | undefined,
  events: readonly E[],
): readonly (E & Delivery)[] => {
  const places = new Map<string, FeedPosition>();
  return events.map((event) => {
    const name = laneName(event.topic, event.lane);
    const after = places.get(name) ?? lastOf(event.topic, event.lane) ?? FEED_START;
    places.set(name, event.at);
    return { ...event, after };
  });
};
