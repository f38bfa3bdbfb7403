/** Timers of a producer's streams: one due time a stream, folded from its events; firing appends an event that removes it. */
import type { Process, Scheduler } from './scheduler.ts';
import type { Draft, Store } from './store.ts';
import { type Claim, LeaseLost, type Schedule } from './work.ts';

/** The n-th time that something was to be due on the stream. */
type Timer = { occurrence: number; dueAt: number | null };
export type Timers = ReturnType<typeof createTimers>;

export type TimerObserver = {
  /** `isCurrent`: nothing else was planned since that was due. */
  fired(claim: Claim, occurrence: number, dueAt: number, isCurrent: boolean): void;
};
export type TimerLaw = 'a firing removes its timer' | 'a stream is at the version that was seen';

export const createTimers = (
  store: Store,
  schedule: Schedule,
  holds: (law: TimerLaw) => boolean,
  now: () => number,
  observer: TimerObserver,
) => {
  const timers = new Map<string, Timer>();

  /** One event of the stream, in a transaction of its own. False where another one holds it, or it went on. */
  const append = (stream: string, version: number): boolean => {
    if (store.versionOf(stream) !== version && holds('a stream is at the version that was seen')) return false;
    const transaction = store.begin(now());
    const appended = store.append(transaction, draftOf(stream));
    if (appended) store.commit(transaction);
    else store.rollBack(transaction);
    return appended;
  };
  const look = (stream: string) => ({ version: store.versionOf(stream), timer: { ...timerOf(stream) } });
  const timerOf = (stream: string): Timer => {
    const known = timers.get(stream) ?? { occurrence: 0, dueAt: null };
    timers.set(stream, known);
    return known;
  };
  const settle = (claim: Claim, { version, timer }: ReturnType<typeof look>): 'accepted' | 'stale' | 'lost' => {
    const stream = claim.id;
    if (store.versionOf(stream) !== version && holds('a stream is at the version that was seen')) return 'stale';
    const isDue = timer.dueAt !== null && timer.dueAt <= claim.now;
    if (!schedule.maySettle(claim)) return 'lost';
    if (isDue) {
      if (!append(stream, version)) return 'stale';
      const { occurrence } = timer;
      observer.fired(claim, occurrence, timer.dueAt ?? 0, timerOf(stream).occurrence === occurrence);
      if (holds('a firing removes its timer')) {
        timerOf(stream).dueAt = null;
        schedule.set(stream, null);
      }
    } else schedule.set(stream, timerOf(stream).dueAt);
    schedule.release(claim);
    return 'accepted';
  };

  return {
    store,
    schedule,
    pending: (): readonly Timer[] => [...timers.values()].filter(({ dueAt }) => dueAt !== null),
    /** A command: it shall be due then instead. */
    plan: (stream: string, dueAt: number | null): boolean => {
      if (!append(stream, store.versionOf(stream))) return false;
      const timer = timerOf(stream);
      timer.occurrence += 1;
      timer.dueAt = dueAt;
      schedule.set(stream, dueAt);
      return true;
    },
    run:
      (scheduler: Scheduler, process: Process) =>
      async (claim: Claim): Promise<void> => {
        for (let attempt = 0; attempt < 20; attempt += 1) {
          const { isHeld, ...seen } = await scheduler.call(process, `loads ${claim.id}`, 'read', () => ({
            ...look(claim.id),
            isHeld: schedule.isHeld(claim),
          }));
          if (!isHeld) throw new LeaseLost();
          const verdict = await scheduler.call(process, `fires ${claim.id}`, 'write', () => settle(claim, seen));
          if (verdict === 'accepted') return;
          if (verdict === 'lost') throw new LeaseLost();
          await scheduler.pause(process, 20);
        }
        throw new Error('others write the same stream all the time');
      },
  };
};

const draftOf = (stream: string): Draft => ({ stream, topic: 'one', lane: 0, key: stream, nature: 'plain' });
