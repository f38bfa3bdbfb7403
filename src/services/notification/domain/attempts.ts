/** How often a mail is tried, and when again. */
import { Temporal } from 'temporal-polyfill';
import type { Instant } from '#contracts/schema.ts';

/** Twenty attempts take five to ten hours: a mail server may be away over night, and what is a day late nobody wants. */
export const MOST_ATTEMPTS = 20;

const FIRST_WAIT = 5_000;
const LONGEST_WAIT = 60 * 60_000;

/** When to try again after the nth attempt failed at `now`; `jitter` (0 to 1) keeps those that failed together apart. */
export const retryAfter = (n: number, now: Instant, jitter: number): Instant => {
  const longest = Math.min(FIRST_WAIT * 2 ** (n - 1), LONGEST_WAIT);
  const milliseconds = Math.round(longest * (0.5 + jitter / 2));
  return Temporal.Instant.from(now).add({ milliseconds }).toString({ smallestUnit: 'millisecond' });
};
