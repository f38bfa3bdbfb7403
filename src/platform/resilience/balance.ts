/** Which copy of a service is asked next. */

export type Candidate = {
  /** It says that it serves; one that is leaving does not. */
  readonly ready: boolean;
  readonly breaker: 'closed' | 'trial' | 'open';
  /** Requests that it has not answered yet. */
  readonly outstanding: number;
};

/**
 * Of those that serve, the one with the least to do; those with equally much take turns, by `turn`. Where none serves, one
 * that is reached but not ready, whose answer says more than ours would; at last one whose breaker allows a trial.
 * Undefined where there is nobody to ask.
 */
export const chooseCopy = (candidates: readonly Candidate[], turn: number): number | undefined => {
  for (const fits of RANKS) {
    const fitting = candidates.flatMap((candidate, n) => (fits(candidate) ? [{ ...candidate, n }] : []));
    const least = Math.min(...fitting.map(({ outstanding }) => outstanding));
    const quietest = fitting.filter(({ outstanding }) => outstanding === least);
    if (quietest.length > 0) return quietest[turn % quietest.length]?.n;
  }
  return undefined;
};

const RANKS: readonly ((candidate: Candidate) => boolean)[] = [
  ({ ready, breaker }) => ready && breaker === 'closed',
  ({ breaker }) => breaker === 'closed',
  ({ breaker }) => breaker === 'trial',
];
