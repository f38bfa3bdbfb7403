/**
 * When a task is due, and when to say so beforehand, as instants. The one library that a domain may use counts days in
 * zones; its clock is refused to it, like any other.
 */
import { Temporal } from 'temporal-polyfill';
import type { Instant } from '#contracts/schema.ts';
import type { Due } from '#contracts/task.ts';

/** A due instant, and when to remind of it; null = not at all, for it was set when that time was over. */
export type Deadline = { readonly at: Instant; readonly remindAt: Instant | null };

/** The instant at which a task becomes overdue: its own, or the end of its day where its owner lives. */
export const dueInstant = (due: Due): Instant => ('at' in due ? toMillisecond(due.at) : endOfDay(due.date, due.zone));

/** Every command on a task asks for its deadline again, twice; Temporal takes 80 µs for it. */
const ends = new Map<string, Instant>();
const MOST_ENDS = 1_000;
const endOfDay = (date: string, zone: string): Instant => {
  const name = `${date} ${zone}`;
  const known = ends.get(name);
  if (known !== undefined) return known;
  // A day ends where the next one begins, whatever the clocks do in between.
  const dayAfter = Temporal.PlainDate.from(date).add({ days: 1 });
  const end = dayAfter.toZonedDateTime(zone).toInstant().toString({ smallestUnit: 'millisecond' });
  if (ends.size >= MOST_ENDS) ends.clear();
  ends.set(name, end);
  return end;
};

export const deadlineOf = (due: Due, setAt: Instant): Deadline => {
  const at = dueInstant(due);
  const remindAt = dayBefore(at);
  return { at, remindAt: isBefore(remindAt, setAt) ? null : remindAt };
};

const LENGTHS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
/** 24 hours before: in UTC every day has as many. Counted here, for Temporal takes 40 µs for it. */
const dayBefore = (instant: Instant): Instant => {
  const [year = 0, month = 0, day = 0] = instant.slice(0, 10).split('-').map(Number);
  const written = (y: number, m: number, d: number) =>
    `${String(y).padStart(4, '0')}-${String(m).padStart(2, '0')}-${String(d).padStart(2, '0')}${instant.slice(10)}`;
  if (day > 1) return written(year, month, day - 1);
  if (month === 1) return written(year - 1, 12, 31);
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  return written(year, month - 1, month === 3 && leap ? 29 : (LENGTHS[month - 2] ?? 0));
};

/** Instants are written alike, so their texts are in the order of time. */
export const isBefore = (one: Instant, other: Instant): boolean => toMillisecond(one) < toMillisecond(other);

const toMillisecond = (instant: Instant): Instant =>
  `${instant.slice(0, 19)}.${instant.slice(20, -1).padEnd(3, '0').slice(0, 3)}Z`;
