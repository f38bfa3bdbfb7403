/** A worker of this process: the loop of work-loop.ts on the database, whose clock alone counts. */
import { setTimeout as pause } from 'node:timers/promises';
import { streamName } from '../event-store/event.ts';
import { inTime } from '../lifecycle/in-time.ts';
import type { Signal } from '../lifecycle/signal.ts';
import { refusalOf } from '../resilience/refusal.ts';
import type { Database } from '../sql/database.ts';
import { collecting } from '../telemetry/collectors.ts';
import type { LogFields, Logger } from '../telemetry/logger.ts';
import { gauges, metrics } from '../telemetry/metrics.ts';
import { type Claim, claimDue, forgetOld, postpone } from './claims.ts';
import { dueNow } from './schedule.ts';
import { runWork, type WorkIncident } from './work-loop.ts';

export type WorkerKit = {
  readonly commands: { readonly service: string };
  readonly database: Database;
  /** Given after commits of this process, which may have made something due. */
  readonly committed: Signal;
  readonly logger: Logger;
  /** Called at the durable steps by their names: tests kill the process there. */
  readonly failPoint?: ((name: string) => void) | undefined;
};
export type Work = {
  readonly streamPrefix: string;
  /** ms for which a claim is one worker's alone: after a death, this long until somebody else takes it over. */
  readonly lease: number;
  readonly atOnce: number;
  /**
   * Does one piece and settles it, with `claim.release` in the commit. To throw is to ask for another try, later. It has
   * deadlines of its own, well within the lease.
   */
  readonly run: (claim: Claim) => Promise<void>;
};
export type Worker = {
  /** Claims nothing more, waits for what is under way, 3 s at the most. What is not done then runs out with its lease. */
  stop(): Promise<void>;
};

const TIDY_EVERY = 60_000;
const PATIENCE = 3_000;

/** Begins at once and never rejects: a database that is away is waited for, and what a handler throws is logged. */
export const startWorker = (kit: WorkerKit, work: Work): Worker => {
  const { database, committed } = kit;
  const { streamPrefix, lease, run } = work;
  const wakes = committed.listen();
  let stopping = false;
  let tidiedAt = performance.now();
  const tidy = async (): Promise<void> => {
    if (performance.now() - tidiedAt <= TIDY_EVERY) return;
    await forgetOld(database, streamPrefix);
    tidiedAt = performance.now();
  };
  const running = runWork<Claim>(
    {
      claim: async (limit) => {
        await tidy();
        const claimed = await claimDue(database, streamPrefix, limit, lease);
        if (claimed.claims.length > 0) kit.failPoint?.('after-claim');
        return claimed;
      },
      run: async (claim) => {
        await run(claim);
        metrics.work.inc({ work: streamPrefix, outcome: 'settled' });
      },
      postpone: (claim, ms) => postpone(database, streamPrefix, claim, ms),
      wait: (ms) => wakes.wait(ms),
      wake: committed.notify,
      pause: (ms) => pause(ms),
      inTime,
      clock: () => performance.now(),
      random: Math.random,
      report: reporter(kit.logger, streamPrefix),
    },
    work,
    () => stopping,
  );
  const stopCollecting = collecting('work', async () => {
    const { due, seconds } = await dueNow(database, streamPrefix);
    const labels = { service: kit.commands.service, work: streamPrefix };
    return [() => gauges.workDue.set(labels, due), () => gauges.workLateSeconds.set(labels, seconds)];
  });
  return {
    stop: async () => {
      stopCollecting();
      stopping = true;
      committed.notify();
      await inTime(PATIENCE, running);
    },
  };
};

const reporter =
  (logger: Logger, streamPrefix: string) =>
  (incident: WorkIncident<Claim>): void => {
    switch (incident.kind) {
      case 'waiting':
        tell(logger, 'work waits', { work: streamPrefix, error: incident.error });
        break;
      case 'resumed':
        logger.info('work goes on', { work: streamPrefix });
        break;
      case 'failed': {
        const { claim, ms, error } = incident;
        metrics.work.inc({ work: streamPrefix, outcome: 'failed' });
        const stream = streamName(streamPrefix, claim.id);
        tell(logger, 'work failed, and is tried again', { stream, count: claim.claims, ms, error });
        break;
      }
      case 'not-postponed':
        tell(logger, 'work could not be postponed, and is tried again when its lease is over', {
          stream: streamName(streamPrefix, incident.claim.id),
          error: incident.error,
        });
        break;
    }
  };
const tell = ({ warn, error }: Logger, message: string, fields: LogFields): void =>
  (refusalOf(fields.error) ? warn : error)(message, fields);
