/**
 * Runs a program that ends with us. A tiny shell stands between: it holds the reading end of a pipe from us, so that
 * even kill -9 tells it of our end, upon which it asks the program to stop. Shell and program have a session of their
 * own, so that Ctrl-C in a terminal reaches us alone and the database stops after what needs it.
 *
 *   a line, or the end of the pipe   fast shutdown (SIGINT)
 *   a second line                    immediate shutdown (SIGQUIT); the next start then replays the log
 *
 * Rejected: a watcher process in Node (40 MB); PR_SET_PDEATHSIG, which Node does not offer and macOS does not have.
 */
import { spawn } from 'node:child_process';
import { EmbeddedPostgresError } from './errors.ts';

// A shell starts background jobs with SIGINT ignored, and PostgreSQL listens to it only some ms after its start: the
// SIGTERM before it ends a program that does not listen yet (to one that does, it asks for less than the SIGINT does).
const SCRIPT = `
exec 3<&0
"$@" </dev/null 3<&- &
program=$!
{
  read -r stop <&3
  kill -TERM $program
  kill -INT $program
  read -r at_once <&3 && kill -QUIT $program
} 2>/dev/null &
watch=$!
exec 3<&- </dev/null
wait $program
status=$?
kill $watch 2>/dev/null
exit $status`;

/** A fast shutdown ends all sessions and writes one checkpoint; the whole server has 10 s to stop. */
const FAST_SHUTDOWN_BOUND = 4_000;

export type Supervised = {
  /** Resolves with how it ended: 'exit 1', 'signal SIGKILL'. Rejects when not even the shell could be started. */
  readonly ended: Promise<string>;
  isRunning(): boolean;
  /** Stops it, gently at first, and resolves when it has ended. */
  stop(): Promise<void>;
};

/** Starts `command`; what it prints goes to the open file `output`. */
export const supervise = (command: readonly string[], output: number): Supervised => {
  const shell = spawn('sh', ['-c', SCRIPT, 'taskwire-postgres', ...command], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', output, output],
  });
  let running = true;
  const ended = new Promise<string>((resolve, reject) => {
    shell.once('exit', (code, signal) => resolve(code === null ? `signal ${signal}` : `exit ${code}`));
    shell.once('error', (error) => {
      reject(new EmbeddedPostgresError('unsupported-platform', `there is no sh to run PostgreSQL (${error.message})`));
    });
  }).finally(() => {
    running = false;
  });
  ended.catch(() => undefined); // told to whoever awaits it, which may be nobody yet
  shell.stdin?.on('error', () => undefined); // written to when it has just ended
  return {
    ended,
    isRunning: () => running,
    stop: async () => {
      shell.stdin?.write('stop\n');
      const impatience = setTimeout(() => shell.stdin?.write('at once\n'), FAST_SHUTDOWN_BOUND);
      await ended.finally(() => clearTimeout(impatience));
    },
  };
};
