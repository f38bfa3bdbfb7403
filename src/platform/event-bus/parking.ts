/** How long a parked key waits for its next attempt, and when so much is parked that the consumer itself must be broken. */
import type { Fault } from './delivery.ts';

const FIRST = 1_000;
const LONGEST = 10 * 60_000;
/** How many events of a key are handled again in one piece. */
export const PARKED_AT_ONCE = 200;
/** With the doubling of the wait, the last attempt comes about an hour and a half after the first. */
const BUDGET = 16;

/**
 * ms until the next attempt after so many failed ones, half of it at random so that keys that failed together do not
 * come back together; null = not by itself any more: it waits for a hand. What this release does not know waits for one
 * that does, and what is unreadable stays so.
 */
export const backoff =
  (random: () => number) =>
  (fault: Fault, attempts: number): number | null => {
    if (fault.cause !== 'failed' || attempts >= BUDGET) return null;
    const full = Math.min(LONGEST, FIRST * 2 ** (attempts - 1));
    return Math.round(full / 2 + (full / 2) * random());
  };

/**
 * Whether a consumer takes what is new, by a minute of its life. One bad event is the event's fault; when more than 20
 * keys of a minute fail, and more than 5 % of its events, the fault is most likely the consumer's: new ones would only be
 * parked too, so it is tried by what is parked already.
 *
 *   taking ──too much of a minute was parked──► stopped ──one parked key went well, or few are left──► taking
 */
export type Intake = Taking | { readonly kind: 'stopped' };
export type Taking = {
  readonly kind: 'taking';
  readonly since: number;
  readonly events: number;
  readonly parked: number;
};
export const TAKING: Taking = { kind: 'taking', since: Number.NEGATIVE_INFINITY, events: 0, parked: 0 };
const MINUTE = 60_000;
/** So many parked keys are few. */
export const FEW = 20;
const SHARE = 0.05;

/** With so many more events handled and keys parked; a new minute begins with them once the last is over. `now` in ms. */
export const counted = (taking: Taking, now: number, events: number, parked: number): Intake => {
  const { since, ...minute } = now - taking.since < MINUTE ? taking : { ...TAKING, since: now };
  const sum = { events: minute.events + events, parked: minute.parked + parked };
  return sum.parked > Math.max(FEW, SHARE * sum.events) ? { kind: 'stopped' } : { kind: 'taking', since, ...sum };
};
