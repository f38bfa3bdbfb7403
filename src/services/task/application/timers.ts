/** What time does to tasks, with nobody asking for it. */
import type { ServiceKit } from '#platform/lifecycle/service-kit.ts';
import { timer } from '#platform/scheduling/timers.ts';
import { startWorker, type Worker } from '#platform/scheduling/worker.ts';
import type { Logger } from '#platform/telemetry/logger.ts';
import { tasks } from './aggregates.ts';

/** ms: a firing takes some, and at the worst as long as the database may; after a death another process waits this long. */
const LEASE = 10_000;
/** As many as go into half a batch of commits: after a day away, thousands may be due at once. */
const AT_ONCE = 32;

export const startTaskTimers = (kit: ServiceKit, logger: Logger): Worker =>
  startWorker(
    { ...kit, logger },
    {
      streamPrefix: tasks.streamPrefix,
      lease: LEASE,
      atOnce: AT_ONCE,
      run: timer(kit.commands, tasks, {
        actor: 'task-service',
        commandAt: (now) => ({ type: 'PassTime', now }) as const,
      }),
    },
  );
