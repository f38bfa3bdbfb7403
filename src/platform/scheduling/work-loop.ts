/**
 * A worker: does what is due, a bounded number of pieces at once, beside any number of others that do the same.
 *
 *   due ──claim──► claimed ──the commit of its outcome ends the lease──────────────► settled
 *    ▲               │  ├──it throws, or takes longer than the lease──► postponed ──┐
 *    │               │  └──the worker dies or freezes──► the lease runs out ────────┤
 *    └───────────────┼──────────────────────────────────────────────────────────────┘
 *                    └── who wakes after that finds another's token: their commit misses, and nothing of it happens
 *
 * A piece is due when its stream's row in the schedule says so. Claiming it is a transaction of its own, with a fresh
 * token and an end. Settling is the commit of whatever came of it: it takes the lease away by token, and what is folded
 * into the schedule says whether anything more is due. A failure leaves the lease to run for a while, the longer the more
 * often it was claimed; so does a death, of which nobody can tell anything but that count. Once the lease is over, anyone
 * claims it anew.
 *
 * So work is never lost, and its effects in this database happen once. What it does in the outside world may happen
 * twice, when a worker dies or freezes between that and its commit.
 *
 * All that it asks of the world are its ports, so that a simulation can be the world.
 */
import { backoff } from './lease.ts';

/** As much of a claim as it takes to decide about it. */
type Counted = { readonly claims: number };

export type WorkPorts<Claim extends Counted> = {
  /** Claims up to so many pieces that are due; `nextIn`: ms until another one becomes so, null = none will. */
  readonly claim: (limit: number) => Promise<{ readonly claims: readonly Claim[]; readonly nextIn: number | null }>;
  /** Does one piece and settles it. To throw is to ask for another try, later. */
  readonly run: (claim: Claim) => Promise<void>;
  /** Lets nobody claim it for so many ms; without effect when it is not ours any more. */
  readonly postpone: (claim: Claim, ms: number) => Promise<void>;
  /** Waits so long, or until something may have become due; answers whether it may. */
  readonly wait: (ms: number) => Promise<boolean>;
  /** Something may have become due. */
  readonly wake: () => void;
  readonly pause: (ms: number) => Promise<void>;
  /** Whether it was done within so many ms; rejects as it does. */
  readonly inTime: (ms: number, doing: Promise<unknown>) => Promise<boolean>;
  /** ms, from any point on. */
  readonly clock: () => number;
  /** 0 to 1. */
  readonly random: () => number;
  readonly report: (incident: WorkIncident<Claim>) => void;
};

export type WorkIncident<Claim> =
  /** It cannot be asked what is due; and it can again. */
  | { readonly kind: 'waiting'; readonly error: unknown }
  | { readonly kind: 'resumed' }
  /** A piece is tried again in so many ms; or when its lease is over, since not even that could be written. */
  | { readonly kind: 'failed'; readonly claim: Claim; readonly ms: number; readonly error: unknown }
  | { readonly kind: 'not-postponed'; readonly claim: Claim; readonly error: unknown };

/** So that a handler that hangs keeps no place for ever. */
class OverranLease extends Error {
  override readonly name = 'OverranLease';
}

/** ms: what other processes made due is found this late, unless it was known to become due. */
const IDLE = 1_000;
/** ms between two looks while nothing is due: under load, commits are made by the hundreds a second. */
const SPACING = 25;
const LONGEST_PAUSE = 5_000;

/** Runs until `stopping`, and then until nothing of it is under way; never rejects. `lease` in ms. */
export const runWork = async <Claim extends Counted>(
  ports: WorkPorts<Claim>,
  { lease, atOnce }: { readonly lease: number; readonly atOnce: number },
  stopping: () => boolean,
): Promise<void> => {
  const running = new Set<Promise<void>>();
  const begin = (claim: Claim, until: number, least: number): void => {
    const done = carryOut(ports, claim, until, least).finally(() => {
      running.delete(done);
      ports.wake(); // one hint too many costs a look
    });
    running.add(done);
  };
  const round = async (): Promise<void> => {
    const free = atOnce - running.size;
    if (free === 0) return void (await ports.wait(IDLE));
    const lookedAt = ports.clock();
    const { claims, nextIn } = await ports.claim(free);
    // A lease begins when it was asked for, at the earliest; an answer may be older than the lease is long.
    for (const claim of claims) begin(claim, lookedAt + lease, lease / 2);
    if (claims.length === free || stopping()) return; // there may be more
    const heard = await ports.wait(Math.min(IDLE, Math.ceil(nextIn ?? IDLE)));
    const early = lookedAt + SPACING - ports.clock();
    if (heard && early > 0 && !stopping()) await ports.pause(early);
  };

  let trouble = 0;
  while (!stopping()) {
    try {
      await round();
      if (trouble > 0) ports.report({ kind: 'resumed' });
      trouble = 0;
    } catch (error) {
      if (trouble === 0) ports.report({ kind: 'waiting', error });
      trouble += 1;
      await ports.wait(Math.min(backoff(trouble, ports.random()), LONGEST_PAUSE));
    }
  }
  await Promise.all(running);
};

/**
 * Never rejects. `until`: by the ports' clock, when somebody else may begin it. With less than `least` ms left it is not
 * begun: what it does outside could reach past the lease, and be done by somebody else at the same time.
 */
const carryOut = async <Claim extends Counted>(
  ports: WorkPorts<Claim>,
  claim: Claim,
  until: number,
  least: number,
): Promise<void> => {
  try {
    const left = until - ports.clock();
    if (left < least) throw new OverranLease('too little of it was left to begin');
    if (!(await ports.inTime(left, ports.run(claim))))
      throw new OverranLease('it is still at it, and somebody else may be too');
  } catch (error) {
    const ms = backoff(claim.claims, ports.random());
    ports.report({ kind: 'failed', claim, ms, error });
    try {
      await ports.postpone(claim, ms);
    } catch (error) {
      ports.report({ kind: 'not-postponed', claim, error });
    }
  }
};
