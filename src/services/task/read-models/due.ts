/** The instant at which a task becomes overdue: its own, or the end of its day where its owner lives. */

import { Temporal } from 'temporal-polyfill';
import type { Due } from '#contracts/task.ts';

/** RFC 3339 in UTC, to the millisecond. A day ends where the next one begins, whatever the clocks do in between. */
export const dueInstant = (due: Due): string => {
  if ('at' in due) return new Date(due.at).toISOString();
  const dayAfter = Temporal.PlainDate.from(due.date).add({ days: 1 });
  return dayAfter.toZonedDateTime(due.zone).toInstant().toString({ smallestUnit: 'millisecond' });
};
