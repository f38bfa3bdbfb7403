/**
 * A circuit breaker as data: what is known of one copy of a service, and what follows from how an attempt at it ended.
 *
 *   closed ──5 failures in a row, or 10 of the last 20──► open ──its time is over──► half-open: one trial at a time
 *      ▲                                                    ▲                              │
 *      │                                                    └──failure: twice as long──────┤
 *      └──────────────────────────success──────────────────────────────────────────────────┘
 *
 * It opens for a second first, and for five at the longest, so one that is back is found within ten.
 */

export type Breaker =
  | { readonly state: 'closed'; readonly recent: readonly Ending[]; readonly since: number; readonly wait: number }
  | { readonly state: 'open'; readonly until: number; readonly wait: number }
  | { readonly state: 'half-open'; readonly wait: number };
/** `nothing`: it was broken off by whoever asked, and says nothing of the copy. */
export type Ending = 'success' | 'failure' | 'nothing';

const IN_A_ROW = 5;
const WINDOW = 20;
const OF_WINDOW = 10;
const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 5_000;
/** Who fails again so soon after they were back is given longer the next time. */
const RELAPSE = 30_000;

export const CLOSED: Breaker = { state: 'closed', recent: [], since: Number.NEGATIVE_INFINITY, wait: 0 };

/** Whether an attempt may be made now. Whoever makes it says so by `begun`, and how it ended by `ended`. */
export const admits = (breaker: Breaker, now: number): boolean =>
  breaker.state === 'closed' || (breaker.state === 'open' && now >= breaker.until);

/** An attempt begins: at one that is open it is the trial, and nobody else tries meanwhile. */
export const begun = (breaker: Breaker, now: number): Breaker =>
  breaker.state === 'open' && now >= breaker.until ? { state: 'half-open', wait: breaker.wait } : breaker;

/** What an attempt tells by its end; those that began before it opened say nothing new. */
export const ended = (breaker: Breaker, ending: Ending, now: number): Breaker => {
  switch (breaker.state) {
    case 'closed':
      return ending === 'nothing' ? breaker : noted(breaker, ending, now);
    case 'open':
      return breaker;
    case 'half-open':
      if (ending === 'success') return { ...CLOSED, since: now, wait: breaker.wait };
      return ending === 'failure' ? opened(breaker.wait, now) : { state: 'open', until: now, wait: breaker.wait };
  }
};

const noted = (breaker: Breaker & { readonly state: 'closed' }, ending: Ending, now: number): Breaker => {
  const recent = [...breaker.recent, ending].slice(-WINDOW);
  const failures = recent.filter((one) => one === 'failure').length;
  const inARow = recent.length >= IN_A_ROW && recent.slice(-IN_A_ROW).every((one) => one === 'failure');
  if (!inARow && failures < OF_WINDOW) return { ...breaker, recent };
  return opened(now - breaker.since < RELAPSE ? breaker.wait : 0, now);
};

const opened = (waited: number, now: number): Breaker => {
  const wait = waited === 0 ? FIRST_WAIT : Math.min(LONGEST_WAIT, waited * 2);
  return { state: 'open', until: now + wait, wait };
};
