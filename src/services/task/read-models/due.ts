/** The instant at which a task becomes overdue: its own, or the end of its day where its owner lives. */

import { Temporal } from 'temporal-polyfill';
import type { Due } from '#contracts/task.ts';

/** RFC 3339 in UTC, to the millisecond. A day ends where the next one begins, whatever the clocks do in between. */
export const dueInstant = (due: Due): string => {
  const instant =
    'at' in due
      ? Temporal.Instant.from(due.at)
      : Temporal.PlainDate.from(due.date).add({ days: 1 }).toZonedDateTime(due.zone).toInstant();
  return instant.toString({ smallestUnit: 'millisecond' });
};
