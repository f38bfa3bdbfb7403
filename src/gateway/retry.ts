/** Whether an attempt that did not go well is made again. Pure: how it ended in, what to do out. */

/**
 * refused: nothing was sent, for there was no connection. lost: it was sent, and the connection broke before an answer.
 * late: its time was over before an answer. cancelled: whoever asked has gone.
 */
export type Unanswered = 'refused' | 'lost' | 'late' | 'cancelled';
export type AttemptEnd = { readonly kind: Unanswered } | { readonly kind: 'answered'; readonly status: number };

export type Asked = {
  readonly method: string;
  /** It carries an Idempotency-Key that its service honours. */
  readonly keyed: boolean;
  /** It waits for what was written elsewhere: a 503 says that it waited already. */
  readonly waits: boolean;
  /** Since it was first asked for. */
  readonly ms: number;
};

/** elsewhere: at a copy that was not asked yet. again: at any, and out of the budget. */
export type Next = 'done' | 'elsewhere' | 'again';

export const nextOf = (asked: Asked, end: AttemptEnd): Next => {
  switch (end.kind) {
    case 'refused':
      return 'elsewhere'; // no copy sees more of it than one attempt, so it needs no budget
    case 'late':
    case 'cancelled':
      return 'done';
    case 'lost':
      return isRepeatable(asked) ? 'again' : 'done';
    case 'answered':
      return WORTH_ANOTHER.has(end.status) && isRepeatable(asked) && !asked.waits && asked.ms < SOON ? 'again' : 'done';
  }
};

/** ms: services answer sooner, whatever is away. */
const ENOUGH = 5_000;
const WORTH_ANOTHER = new Set([502, 503]);
/**
 * ms. A refusal that took longer has waited for what is away, such as a database that hangs; each repetition would wait
 * as long again, and whoever asks is promised a 503 within 5 s.
 */
const SOON = 1_500;
/**
 * A DELETE without a key is idempotent by its effect and not by its answer: the second would be told that there is
 * nothing to delete any more.
 */
const isRepeatable = ({ method, keyed }: Asked): boolean => keyed || changesNothing(method);
const changesNothing = (method: string): boolean => /^(GET|HEAD|OPTIONS)$/.test(method);

/** Says that nothing was done: by this attempt. */
export const isRefusal = (end: AttemptEnd): boolean => end.kind === 'answered' && WORTH_ANOTHER.has(end.status);

/** Whether a write may have been done by an attempt that did not go well. `code` is that of the problem, if it was one. */
export const leavesOpen = ({ method }: Pick<Asked, 'method'>, end: AttemptEnd, code?: unknown): boolean => {
  if (changesNothing(method)) return false;
  return end.kind === 'answered' ? end.status === 502 || code === 'outcome-unknown' : end.kind === 'lost';
};

/**
 * What an attempt that was given so many ms says of the copy. A 503 came quickly, and says itself that nothing was done: a
 * breaker saves nothing. Nor does one that was given less than a healthy copy may take: or whoever asks with a deadline
 * of a few ms would close the service to all.
 */
export const endingOf = (end: AttemptEnd, ms: number): 'success' | 'failure' | 'nothing' => {
  switch (end.kind) {
    case 'refused':
    case 'lost':
      return 'failure';
    case 'late':
      return ms < ENOUGH ? 'nothing' : 'failure';
    case 'cancelled':
      return 'nothing';
    case 'answered':
      if (end.status === 503) return 'nothing';
      return end.status === 502 || end.status === 504 ? 'failure' : 'success';
  }
};
