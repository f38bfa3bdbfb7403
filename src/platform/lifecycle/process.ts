/** A process's life: it starts or says why not, and stops in order, once, within ten seconds. */
import { ConfigurationError } from '../config/config.ts';

export type Running = { stop(reason: string): Promise<void> };

const PATIENCE = 10_000;

/**
 * Runs `start` until SIGINT or SIGTERM, then stops what it started. Exit codes: 0 after a stop, 1 when the start
 * failed or the stop took too long, 2 for settings that cannot be used. A signal may come several times, from npm, a
 * wrapper and the terminal; the first one counts.
 */
export const startProcess = async (start: () => Promise<Running>): Promise<void> => {
  let stopping = false;
  let running: Running | undefined;
  const stop = (signal: string): void => {
    if (stopping) return;
    stopping = true;
    setTimeout(() => fail(`stopping took more than ${PATIENCE / 1000} s`, 1), PATIENCE).unref();
    const stopped = running ? running.stop(signal) : Promise.resolve(); // in the middle of the start: the end of the process ends it
    stopped.then(
      () => process.exit(0),
      (error) => fail(messageOf(error), 1),
    );
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  try {
    running = await start();
  } catch (error) {
    if (!stopping) fail(messageOf(error), error instanceof ConfigurationError ? 2 : 1);
  }
};

const fail = (message: string, code: number): never => {
  process.stderr.write(`taskwire: ${message}\n`);
  process.exit(code);
};
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
