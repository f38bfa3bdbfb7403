/**
 * How much somebody may still do, in one number: until when what they did is paid for (GCRA). A request costs a step;
 * nobody may run further ahead of the clock than the window, so a whole quota may be spent at once, and comes back evenly.
 * Rejected: a counter for each window, which lets twice the quota through around its edge. Pure; redis-scripts.ts says
 * the same in Redis' language, and one suite tests both.
 */

/** `quota` requests in `window` seconds. */
export type Limit = { readonly name: string; readonly quota: number; readonly window: number };
/** Where somebody stands with a limit once a request was counted, or refused. */
export type Allowance = {
  readonly limit: Limit;
  readonly allowed: boolean;
  readonly remaining: number;
  /** Seconds until the whole quota is there again. */
  readonly reset: number;
  /** Seconds until the next request may come; 0 where it may now. */
  readonly retryAfter: number;
};

/** How many ms of the window one request takes up. */
export const stepOf = ({ quota, window }: Limit): number => (window * 1_000) / quota;

/** `ahead`: ms that what was done reaches into the future, after the request was counted or refused. */
export const allowanceOf = (limit: Limit, allowed: boolean, ahead: number): Allowance => {
  const windowMs = limit.window * 1_000;
  const room = windowMs - ahead;
  return {
    limit,
    allowed,
    remaining: Math.max(0, Math.floor(room / stepOf(limit) + 1e-6)),
    reset: Math.ceil(ahead / 1_000),
    retryAfter: Math.max(0, Math.ceil((stepOf(limit) - room) / 1_000 - 1e-6)),
  };
};
