/**
 * Keeps one database server running until it is told to stop.
 *
 *   starting ──ready──► running ──ended──► pause ──► starting …
 *      └─ ended before it was ready: the first time that is the caller's error, later one more reason to pause
 *
 * Whenever `stop` is called, the present server is shut down and no other is started.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { startFault } from './errors.ts';
import type { Log } from './log.ts';
import type { Supervised } from './supervisor.ts';

export type ServerOptions = {
  /** Starts the server's processes; is called again for each restart. */
  readonly launch: () => Promise<Supervised>;
  /** Whether it answers. Rejects when it never will. */
  readonly answers: () => Promise<boolean>;
  readonly dataDir: string;
  readonly log: Log;
  readonly report: (line: string) => void;
};

/** How long a start may take: after a crash PostgreSQL first replays its log. */
const START_BOUND = 120_000;
const PROGRESS_INTERVAL = 5_000;
const POLL = 15;
/** Between an end and the next start; doubled each time, until one has lived for long again. */
const SHORTEST_PAUSE = 50;
const LONGEST_PAUSE = 5_000;
const LONG_LIFE = 30_000;
/** A session of the killed server has not noticed yet: it does within moments. */
const PASSING = /is still in use|lock file ".*" already exists/;

/** Resolves when the server answers for the first time. Rejects with EmbeddedPostgresError when it does not come up. */
export const keepRunning = async (options: ServerOptions): Promise<{ stop(): Promise<void> }> => {
  const { report } = options;
  const stopping = new AbortController();
  let server = await start(options, stopping.signal);

  let pause = SHORTEST_PAUSE;
  const restart = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await sleep(pause, undefined, { signal: stopping.signal }).catch(() => undefined);
      pause = Math.min(pause * 2, LONGEST_PAUSE);
      try {
        server = await start(options, stopping.signal);
        report('the database is back');
        return;
      } catch (error) {
        if (stopping.signal.aborted) return;
        report(`the database did not start again: ${error instanceof Error ? error.message : error}`);
      }
    }
  };
  const watch = async (): Promise<void> => {
    for (;;) {
      const since = performance.now();
      const end = await server.ended;
      if (stopping.signal.aborted) return;
      if (performance.now() - since > LONG_LIFE) pause = SHORTEST_PAUSE;
      report(`the database server ended by itself (${end}), starting it again …`);
      await restart();
    }
  };
  const watching = watch();
  return {
    stop: async () => {
      stopping.abort();
      await server.stop();
      await watching;
      await server.stop(); // another one, if a restart was just about to succeed
    },
  };
};

/** One server, from its launch until it answers; it is stopped when that fails or `signal` says so. */
const start = async (options: ServerOptions, signal: AbortSignal): Promise<Supervised> => {
  const { launch, dataDir, log } = options;
  const deadline = performance.now() + START_BOUND;
  for (;;) {
    const since = log.mark();
    const server = await launch();
    try {
      if (await comesUp(server, options, deadline, signal)) return server;
    } catch (error) {
      await server.stop();
      throw error;
    }
    const lastWords = log.tail(since);
    if (!PASSING.test(lastWords) || performance.now() > deadline) {
      throw startFault(`the database server did not start (${await server.ended})`, lastWords, dataDir);
    }
    await sleep(100);
  }
};

/** True when it answers, false when it ended before. */
const comesUp = async (
  server: Supervised,
  { answers, report, log, dataDir }: ServerOptions,
  deadline: number,
  signal: AbortSignal,
): Promise<boolean> => {
  let nextReport = performance.now() + PROGRESS_INTERVAL;
  while (server.isRunning()) {
    if (await answers()) return true;
    signal.throwIfAborted();
    const now = performance.now();
    if (now > deadline) {
      const summary = `the database server did not answer within ${START_BOUND / 1000} s`;
      throw startFault(summary, log.tail(0), dataDir);
    }
    if (now > nextReport) {
      report('the database is still starting (after a crash it first repairs itself) …');
      nextReport = now + PROGRESS_INTERVAL;
    }
    await sleep(POLL);
  }
  return false;
};
