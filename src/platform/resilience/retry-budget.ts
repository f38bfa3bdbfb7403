/**
 * How much may be tried again: a fifth of what is asked, and a few more after a quiet time. So whoever is in trouble gets
 * no more than that on top, however many ask and however much fails.
 */
export type RetryBudget = { readonly left: number };

const SHARE = 0.2;
const MOST = 10;
const FIRST = 3;

export const NEW_BUDGET: RetryBudget = { left: FIRST };
/** Something new is asked. */
export const earned = ({ left }: RetryBudget): RetryBudget => ({ left: Math.min(MOST, left + SHARE) });
/** What is left after a retry; undefined where there may be none. */
export const spent = ({ left }: RetryBudget): RetryBudget | undefined => (left >= 1 ? { left: left - 1 } : undefined);
