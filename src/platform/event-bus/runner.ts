/**
 * A consumer at one source: takes what the bus has, and commits its effects together with where it then stands.
 *
 *   where do we stand? ─► is a parked key due? ─► next slice ─► all of it in one commit
 *        ▲                    handled again,        │               │ accepted: stand there, go on
 *        │                    under its lane        │               │ lost: another process was here; look again
 *        │                                          │               │ the consumer threw: one by one; the first failure
 *        │                                          │               │   of a key parks it, followers queue behind it
 *        └── our own database, a key or a lock fails: wait, and look again; nothing is parked for that ◄──┘
 *
 * All that it asks of the world are its ports, so that a simulation can be the world.
 */
import { refusalOf } from '../resilience/refusal.ts';
import { StatementFault } from '../sql/errors.ts';
import { errorInWords, mayQuote } from '../telemetry/error-words.ts';
import type { Delivered, Delivery, Fault, Reading, Stray } from './delivery.ts';
import {
  type Admission,
  admit,
  afterChange,
  type Change,
  type CursorMove,
  Gap,
  NO_CHANGE,
  type ParkedKey,
  parkInstead,
  type Retry,
  type Standing,
  touch,
  withStrays,
} from './lanes.ts';
import { counted, FEW, type Intake, PARKED_AT_ONCE, TAKING, type Taking } from './parking.ts';

export type Slice = {
  readonly deliveries: readonly Delivery[];
  /** How far it goes in each part that it comes from: none, where there is nothing. */
  readonly cursors: readonly CursorMove[];
  /** What lay between them and is nobody's; only together with a cursor. */
  readonly strays?: readonly Stray[];
};

/** accepted; lost: the consumer stands elsewhere by now; contended: a stream that a decision rests on was written meanwhile. */
export type CommitVerdict = 'accepted' | 'lost' | 'contended';

export type RunnerPorts = {
  /** Whether this process is the one to read just now; waits a little where it is not. */
  readonly holds: () => Promise<boolean>;
  readonly standing: () => Promise<Standing>;
  /** What comes next; waits a little where there is nothing, then answers an empty slice. */
  readonly next: (standing: Standing) => Promise<Slice>;
  readonly read: (deliveries: readonly Delivery[]) => Promise<readonly Reading[]>;
  /** Handles the events and commits what comes of them, with the change. Throws what the consumer throws. */
  readonly carryOut: (change: Change, events: readonly Delivered[]) => Promise<CommitVerdict>;
  /** Parked keys of this source whose next attempt is due. */
  readonly due: () => Promise<readonly ParkedKey[]>;
  /** What is parked of a key, in its order, the oldest of them: PARKED_AT_ONCE at the most. */
  readonly parkedOf: (key: ParkedKey) => Promise<readonly Delivery[]>;
  readonly retryIn: Retry;
  /** ms, from any point on. */
  readonly clock: () => number;
  readonly pause: (ms: number) => Promise<void>;
  readonly report: (incident: Incident) => void;
};

export type Incident =
  | { readonly kind: 'parked' | 'postponed'; readonly key: ParkedKey; readonly error: unknown }
  | { readonly kind: 'settled'; readonly key: ParkedKey }
  | { readonly kind: 'gap' | 'waiting'; readonly error: unknown }
  | { readonly kind: 'stopped' | 'resumed' };

const PAUSE = 100;
const LONGEST_PAUSE = 5_000;
const TRIES = 20;
const LOOK_AGAIN = 250;

/** Runs until `stopping`; never rejects. A consumer that fails at nearly everything stops taking what is new: see parking.ts. */
export const runConsumer = async (ports: RunnerPorts, stopping: () => boolean): Promise<void> => {
  let standing: Standing | undefined;
  let intake: Intake = TAKING;
  let trouble = 0;
  let lookedAt = Number.NEGATIVE_INFINITY;
  const round = async (): Promise<void> => {
    if (!(await ports.holds())) {
      standing = undefined; // whoever holds it moves it
      return;
    }
    standing ??= await ports.standing();
    let isBetter = false;
    if (parkedIn(standing) > 0 && ports.clock() - lookedAt >= LOOK_AGAIN) {
      lookedAt = ports.clock();
      ({ standing, isSettled: isBetter } = await retryDue(ports, standing));
      if (standing === undefined) return;
    }
    if (intake.kind === 'stopped') {
      if (!isBetter && parkedIn(standing) > FEW) {
        standing = undefined; // somebody may have thrown away what is parked
        return ports.pause(LOOK_AGAIN);
      }
      intake = TAKING;
      ports.report({ kind: 'resumed' });
    }
    const slice = await ports.next(standing);
    if (slice.deliveries.length === 0 && slice.cursors.length === 0) return;
    ({ standing, intake } = await handleSlice(ports, standing, slice, intake));
    if (intake.kind === 'stopped') ports.report({ kind: 'stopped' });
  };
  while (!stopping()) {
    try {
      await round();
      trouble = 0;
    } catch (error) {
      standing = undefined;
      ports.report({ kind: error instanceof Gap ? 'gap' : 'waiting', error });
      await ports.pause(Math.min(LONGEST_PAUSE, PAUSE * 2 ** trouble));
      trouble = Math.min(trouble + 1, 16);
    }
  }
};

const parkedIn = ({ lanes }: Standing): number => lanes.values().reduce((sum, { parked }) => sum + parked.size, 0);

/** `standing` undefined = look again where we stand. */
type Handled = { readonly standing: Standing | undefined; readonly intake: Intake };

const handleSlice = async (ports: RunnerPorts, standing: Standing, slice: Slice, taking: Taking): Promise<Handled> => {
  const readings = await ports.read(slice.deliveries);
  const { events, change } = admit(standing, readings, ports.retryIn);
  const whole = withStrays(standing, { ...change, cursors: slice.cursors }, slice.strays);
  const attempt = await attemptTo(ports, whole, events);
  if (attempt.kind === 'accepted') {
    tell(ports, whole);
    const intake = counted(taking, ports.clock(), readings.length, change.park.length);
    return { standing: afterChange(standing, whole), intake };
  }
  return attempt.kind === 'lost'
    ? { standing: undefined, intake: taking }
    : oneByOne(ports, standing, readings, slice, taking);
};

/**
 * Something in the slice failed: who it was is found by going one by one. Cursors move when all is dealt with; where
 * the consumer stops before, the rest comes again later, and what was dealt with then is a twin.
 */
const oneByOne = async (
  ports: RunnerPorts,
  begin: Standing,
  readings: readonly Reading[],
  { cursors, strays }: Slice,
  before: Taking,
): Promise<Handled> => {
  let standing = begin;
  let taking = before;
  for (const reading of readings) {
    const admission = admit(standing, [reading], ports.retryIn);
    const change = await dealWith(ports, admission, reading.delivery);
    if (change === undefined) return { standing: undefined, intake: taking };
    standing = afterChange(standing, change);
    const intake = counted(taking, ports.clock(), 1, change.park.length);
    if (intake.kind === 'stopped') return { standing, intake };
    taking = intake;
  }
  if (cursors.length === 0) return { standing, intake: taking };
  const change = withStrays(standing, { ...NO_CHANGE, cursors }, strays);
  if ((await ports.carryOut(change, [])) !== 'accepted') return { standing: undefined, intake: taking };
  tell(ports, change);
  return { standing: afterChange(standing, change), intake: taking };
};

/** One delivery, handled or parked; the change that was committed, or undefined when another process was here. */
const dealWith = async (ports: RunnerPorts, admission: Admission, delivery: Delivery): Promise<Change | undefined> => {
  if (admission.change.moves.length === 0) return admission.change; // a twin
  const attempt = await attemptTo(ports, admission.change, admission.events);
  if (attempt.kind === 'lost') return undefined;
  if (attempt.kind === 'accepted') {
    tell(ports, admission.change);
    return admission.change;
  }
  if (admission.events.length === 0) throw attempt.error; // nobody handled anything: noting it is what failed
  const parking = parkInstead(admission, delivery, faultOf(attempt.error), ports.retryIn);
  if ((await ports.carryOut(parking, [])) !== 'accepted') return undefined;
  tell(ports, parking, attempt.error);
  return parking;
};

const tell = (ports: RunnerPorts, { park, strays = [] }: Change, error?: unknown): void => {
  for (const { topic, lane, key, error: text } of strays)
    ports.report({ kind: 'parked', key: { topic, lane, key, attempts: 1 }, error: new Error(text) });
  for (const { delivery, fault } of park) {
    const { topic, lane, key } = delivery;
    ports.report({ kind: 'parked', key: { topic, lane, key, attempts: 1 }, error: error ?? new Error(fault.error) });
  }
};

/** `standing` undefined = look again where we stand. isSettled: of one key at the least nothing is parked any more. */
type Retried = { readonly standing: Standing | undefined; readonly isSettled: boolean };

/** Parked keys whose time has come: automatic retry and redrive by hand alike. */
const retryDue = async (ports: RunnerPorts, begin: Standing): Promise<Retried> => {
  let all: Retried = { standing: begin, isSettled: false };
  for (const key of await ports.due()) {
    if (all.standing === undefined) return all;
    const one = await retry(ports, all.standing, key);
    all = { standing: one.standing, isSettled: all.isSettled || one.isSettled };
  }
  return all;
};

/** All that is parked of a key, or the first of it alone: then it is known whether that one is still to blame. */
const retry = async (ports: RunnerPorts, standing: Standing, key: ParkedKey): Promise<Retried> => {
  const deliveries = await ports.parkedOf(key);
  // What is parked of a key was read in one piece, and its lane's revision says that nothing was added since.
  const all = await settling(ports, standing, key, deliveries, deliveries.length < PARKED_AT_ONCE);
  if (all.kind === 'done') return all;
  const first = deliveries.length > 1 ? await settling(ports, standing, key, deliveries.slice(0, 1), false) : all;
  if (first.kind === 'done') return first;
  const fault = faultOf(first.error);
  const retryIn = ports.retryIn(fault, key.attempts + 1);
  const change: Change = { ...NO_CHANGE, moves: [touch(standing, key)], postpone: { key, fault, retryIn } };
  if ((await ports.carryOut(change, [])) !== 'accepted') return { standing: undefined, isSettled: false };
  ports.report({ kind: 'postponed', key: { ...key, attempts: key.attempts + 1 }, error: first.error });
  return { standing: afterChange(standing, change), isSettled: false };
};

type Settled = ({ readonly kind: 'done' } & Retried) | { readonly kind: 'failed'; readonly error: unknown };

/** `emptied`: they are all that is parked of the key. */
const settling = async (
  ports: RunnerPorts,
  standing: Standing,
  key: ParkedKey,
  deliveries: readonly Delivery[],
  emptied: boolean,
): Promise<Settled> => {
  const readings = await ports.read(deliveries);
  const fault = readings.find((reading) => reading.kind === 'fault');
  if (fault) return { kind: 'failed', error: new Unhandled(fault.fault) };
  const events = readings.filter((reading) => reading.kind === 'event').map(({ event }) => event);
  const change: Change = { ...NO_CHANGE, moves: [touch(standing, key)], settle: { key, deliveries, emptied } };
  const attempt = await attemptTo(ports, change, events);
  if (attempt.kind === 'failed') return attempt;
  if (attempt.kind === 'lost') return { kind: 'done', standing: undefined, isSettled: false };
  if (emptied) ports.report({ kind: 'settled', key });
  return { kind: 'done', standing: afterChange(standing, change), isSettled: emptied };
};

type Attempt =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'lost' }
  | { readonly kind: 'failed'; readonly error: unknown };

/**
 * Rethrows what carries a refusal (the database, a key or a lock is away): the same slice is worth another try. Any other
 * error is the event's, and is answered.
 */
const attemptTo = async (ports: RunnerPorts, change: Change, events: readonly Delivered[]): Promise<Attempt> => {
  try {
    for (let attempt = 0; attempt < TRIES; attempt += 1) {
      const verdict = await ports.carryOut(change, events);
      if (verdict === 'accepted') return { kind: 'accepted' };
      if (verdict === 'lost') return { kind: 'lost' };
    }
  } catch (error) {
    if (refusalOf(error) !== undefined) throw error;
    return { kind: 'failed', error };
  }
  throw new Error('other processes write the same streams all the time');
};

/** A fault that was found while reading, as an error of whoever wanted to handle it. */
class Unhandled extends Error {
  override readonly name = 'Unhandled';
  readonly fault: Fault;
  constructor(fault: Fault) {
    super(fault.error);
    this.fault = fault;
  }
}
const faultOf = (error: unknown): Fault =>
  error instanceof Unhandled ? error.fault : { cause: 'failed', error: errorText(error) };

/** What may be kept of an error: its name, and its message unless a value may be quoted in it. */
const errorText = (error: unknown): string => {
  if (!(error instanceof Error)) return typeof error;
  if (error instanceof StatementFault) return `${error.name} ${error.sqlState}${error.place}`;
  const words = mayQuote(error) ? errorInWords(error) : `${error.name}: ${error.message}`.slice(0, 500);
  return words.replaceAll('\0', '').toWellFormed(); // as PostgreSQL can keep it
};
