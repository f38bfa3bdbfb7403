/**
 * Who may do a piece of work, decided: data in, data out. claims.ts says the same in SQL, where several processes ask at
 * once, and a test holds the two together; the simulation runs what stands here.
 *
 * Instants and lengths in ms; `now` is always the database's, so that no two workers differ about it.
 */

export type Lease = {
  /** Never given twice. What a worker commits compares it, so of two that think they hold the work one commits. */
  readonly token: string;
  readonly since: number;
  readonly until: number;
  /** How often it was claimed since it was last settled; one that killed its worker counts too. */
  readonly claims: number;
};

/**
 * Whether others may take it over. One that begins in the future is over too: the clock was set back since, and its end
 * may be days away.
 */
const isOver = ({ since, until }: Lease, now: number): boolean => until <= now || since > now;

/** Whether work may be claimed: it is due, and nobody holds it any more. `dueAt` null = nothing is due. */
export const isClaimable = (dueAt: number | null, lease: Lease | undefined, now: number): boolean =>
  dueAt !== null && dueAt <= now && (lease === undefined || isOver(lease, now));

/** The lease of whoever claims it now, for so long. */
export const claimed = (former: Lease | undefined, token: string, now: number, length: number): Lease => ({
  token,
  since: now,
  until: now + length,
  claims: (former?.claims ?? 0) + 1,
});

/** Whether what was done under a token may be committed; the commit ends the lease. It may be over, if nobody took it. */
export const maySettle = (lease: Lease | undefined, token: string): boolean => lease?.token === token;

/** The lease after its holder failed: nobody claims it for so long. What somebody else holds by now stays as it is. */
export const postponed = (lease: Lease | undefined, token: string, now: number, ms: number): Lease | undefined =>
  lease?.token === token ? { ...lease, since: now, until: now + ms } : lease;

const FIRST_BACKOFF = 1_000;
const LONGEST_BACKOFF = 10 * 60_000;

/** How long to wait after so many claims without success; `random` (0 to 1) keeps those that failed together apart. */
export const backoff = (claims: number, random: number): number => {
  const longest = Math.min(FIRST_BACKOFF * 2 ** (claims - 1), LONGEST_BACKOFF);
  return Math.round(longest * (0.5 + random / 2));
};
