/**
 * What is due by itself, and who does it: the schedule and the leases of one database, as claims.ts means them in SQL, on
 * the decisions of lease.ts; and a worker's process: the real loop, on ports that ask the simulated world.
 */
import { claimed, isClaimable, type Lease, maySettle, postponed } from '../../src/platform/scheduling/lease.ts';
import type { WorkPorts } from '../../src/platform/scheduling/work-loop.ts';
import type { Process, Scheduler } from './scheduler.ts';
import type { World } from './world.ts';

export type WorkLaw =
  | 'nobody claims what is held'
  | 'a lease that is over can be taken over'
  | 'what is settled is settled under its token'
  | 'only its holder postpones'
  | 'what is due is due by the clock of the database';

export type Claim = {
  readonly id: string;
  readonly token: string;
  readonly claims: number;
  /** By the database's clock. */
  readonly now: number;
};
export type WorkObserver = {
  claimed(claim: Claim, lease: Lease, process: Process): void;
  /** Its worker gave it up. */
  gaveUp(claim: Claim): void;
  settled(id: string, token: string): void;
};
export type Schedule = ReturnType<typeof createSchedule>;

export const createSchedule = (
  name: string,
  holds: (law: WorkLaw) => boolean,
  wall: () => number,
  observer: WorkObserver,
) => {
  const due = new Map<string, number>();
  const leases = new Map<string, Lease>();
  let tokens = 0;

  /** Workers whose own clocks are ahead. */
  const clock = () => (holds('what is due is due by the clock of the database') ? wall() : wall() + 1_500);
  const isFree = (id: string): boolean => {
    const dueAt = due.get(id) ?? null;
    const lease = leases.get(id);
    if (!holds('nobody claims what is held')) return isClaimable(dueAt, undefined, clock());
    if (!holds('a lease that is over can be taken over') && lease !== undefined) return false;
    return isClaimable(dueAt, lease, clock());
  };

  return {
    name,
    /** null = nothing is due on it any more. */
    set: (id: string, dueAt: number | null): void => {
      if (dueAt === null) due.delete(id);
      else due.set(id, dueAt);
    },
    dueAt: (id: string): number | undefined => due.get(id),
    size: (): number => due.size,
    lastDue: (): number => Math.max(0, ...due.values()),
    claim: (process: Process, limit: number, length: number): readonly Claim[] => {
      const free = [...due.keys()].filter(isFree).slice(0, limit);
      return free.map((id) => {
        tokens += 1;
        const now = clock();
        const lease = claimed(leases.get(id), `${name}-${tokens}`, now, length);
        const claim = { id, token: lease.token, claims: lease.claims, now };
        observer.claimed(claim, lease, process);
        leases.set(id, lease);
        return claim;
      });
    },
    /** ms until something becomes due that is not so yet. */
    nextIn: (): number | null => {
      const later = [...due.values()].filter((dueAt) => dueAt > wall());
      return later.length === 0 ? null : Math.min(...later) - wall();
    },
    isHeld: ({ id, token }: Claim): boolean => maySettle(leases.get(id), token),
    /** Whether the commit that settles the work may have it end the lease; else it misses. */
    maySettle: ({ id, token }: Claim): boolean =>
      maySettle(leases.get(id), token) || !holds('what is settled is settled under its token'),
    /** The end of the lease, in that commit. */
    release: ({ id, token }: Claim): void => {
      leases.delete(id);
      observer.settled(id, token);
    },
    postpone: ({ id, token }: Claim, ms: number): void => {
      const known = leases.get(id);
      const lease = postponed(known, holds('only its holder postpones') ? token : (known?.token ?? token), wall(), ms);
      if (lease) leases.set(id, lease);
    },
    gaveUp: observer.gaveUp,
  };
};

/** The claim is another's by now. */
export class LeaseLost extends Error {
  override readonly name = 'LeaseLost';
}
class Overran extends Error {
  override readonly name = 'Overran';
}

export const LEASE = 3_000;
export const AT_ONCE = 2;

export const workPorts = (
  { scheduler, random, happened, note }: Pick<World, 'scheduler' | 'random' | 'happened' | 'note'>,
  process: Process,
  schedule: Schedule,
  run: (claim: Claim) => Promise<void>,
): WorkPorts<Claim> => {
  let hint = Promise.withResolvers<boolean>();
  return {
    claim: (limit) =>
      scheduler.call(process, `claims of ${schedule.name}`, 'write', () => ({
        claims: schedule.claim(process, limit, LEASE),
        nextIn: schedule.nextIn(),
      })),
    run: async (claim) => {
      try {
        await run(claim);
      } catch (error) {
        if (!(error instanceof LeaseLost)) throw error; // whoever has it by now does the work
        happened('a lease was lost');
      }
    },
    postpone: (claim, ms) =>
      scheduler.call(process, `postpones ${claim.id}`, 'write', () => schedule.postpone(claim, ms)),
    wait: async (ms) => {
      const heard = await Promise.race([hint.promise, scheduler.pause(process, ms).then(() => false)]);
      hint = Promise.withResolvers<boolean>();
      return heard;
    },
    wake: () => hint.resolve(true),
    pause: (ms) => scheduler.pause(process, ms),
    inTime: (ms, doing) => Promise.race([doing.then(() => true), scheduler.pause(process, ms).then(() => false)]),
    clock: scheduler.now,
    random: random.next,
    report: (incident) => {
      happened(`work: ${incident.kind}`);
      if (incident.kind === 'failed') schedule.gaveUp(incident.claim);
      note(() => `${process.name} reports: ${incident.kind} ${'claim' in incident ? incident.claim.id : ''}`);
    },
  };
};

/** Rejects when it takes longer; it may go on all the same. */
export const inTime = async <T>(scheduler: Scheduler, process: Process, ms: number, doing: Promise<T>): Promise<T> => {
  const late = scheduler.pause(process, ms).then(() => Promise.reject(new Overran(`longer than ${ms} ms`)));
  late.catch(() => undefined); // the race may be over
  return Promise.race([doing, late]);
};
