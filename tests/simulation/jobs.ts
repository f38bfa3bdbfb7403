/** Mails: jobs that begin with the effect of an event, are sent into the world, and settled under their claim's token. */
import type { Random } from '../support/random.ts';
import type { Process, Scheduler } from './scheduler.ts';
import { type Claim, inTime, LEASE, LeaseLost, type Schedule } from './work.ts';

type Job = { readonly id: string; status: 'begun' | 'sent' | 'failed'; troubles: number; readonly isRefused: boolean };
export type Jobs = ReturnType<typeof createJobs>;

export type MailObserver = {
  sent(id: string, token: string): void;
  ended(id: string, status: 'sent' | 'failed'): void;
};
/** The order of a job's two steps: a planted fault turns it round. */
export type MailHabit = { readonly settlesFirst: boolean };

export const createJobs = (random: Random, schedule: Schedule, wall: () => number, observer: MailObserver) => {
  const jobs = new Map<string, Job>();

  const begin = (id: string): void => {
    const troubles = random.chance(0.3) ? random.between(1, 2) : 0;
    jobs.set(id, { id, status: 'begun', troubles, isRefused: random.chance(0.1) });
    schedule.set(id, wall());
  };
  const jobOf = (id: string): Job => {
    const job = jobs.get(id);
    if (job === undefined) throw new Error(`there is no job ${id}`);
    return job;
  };
  /** As a mail server takes it: for good, not just now, or never. */
  const deliver = (job: Job, token: string): 'accepted' | 'refused' => {
    if (job.isRefused) return 'refused';
    if (job.troubles > 0) {
      job.troubles -= 1;
      throw new Error('try again later');
    }
    observer.sent(job.id, token);
    return 'accepted';
  };
  const settle = (job: Job, claim: Claim, answer: 'accepted' | 'refused'): boolean => {
    if (!schedule.maySettle(claim)) return false;
    schedule.release(claim);
    job.status = answer === 'accepted' ? 'sent' : 'failed';
    schedule.set(job.id, null);
    observer.ended(job.id, job.status);
    return true;
  };

  return {
    begin,
    has: (id: string): boolean => jobs.has(id),
    all: (): readonly Job[] => [...jobs.values()],
    run:
      (scheduler: Scheduler, process: Process, { settlesFirst }: MailHabit) =>
      async (claim: Claim): Promise<void> => {
        const job = jobOf(claim.id);
        const send = () => scheduler.call(process, `sends ${job.id}`, 'write', () => deliver(job, claim.token));
        const settling = async (answer: 'accepted' | 'refused') => {
          const settled = await scheduler.call(process, `settles ${job.id}`, 'write', () => settle(job, claim, answer));
          if (!settled) throw new LeaseLost();
        };
        const isHeld = await scheduler.call(process, `looks at ${job.id}`, 'read', () => schedule.isHeld(claim));
        if (!isHeld) throw new LeaseLost();
        if (settlesFirst) {
          await settling('accepted');
          await send();
          return;
        }
        await settling(await inTime(scheduler, process, LEASE / 2, send()));
      },
  };
};
