/**
 * The server that ran on this cluster before, which may be still at its end: our predecessor was killed and its
 * supervisor is shutting the database down, or the supervisor was killed and nobody is. The caller holds the folder's
 * instance lock, so it is nobody else's.
 */
import { execFile } from 'node:child_process';
import { readFile, readlink, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { EmbeddedPostgresError, ignoring } from './errors.ts';

/** ms after which the former server, not yet gone, gets a signal: its supervisor should have sent one long ago. */
const IMPATIENCE: readonly (readonly [number, NodeJS.Signals])[] = [
  [3_000, 'SIGINT'],
  [20_000, 'SIGQUIT'],
];
const BOUND = 60_000;

/**
 * Resolves once no server runs on `cluster`, with the pid that its postmaster.pid still names (undefined: none): that
 * may now belong to another process, which PostgreSQL by itself would take for a server and refuse to start beside.
 * Throws EmbeddedPostgresError `still-running` after a minute.
 */
export const formerServerGone = async (
  cluster: string,
  report: (line: string) => void,
): Promise<number | undefined> => {
  const pidFile = join(cluster, 'postmaster.pid');
  const text = await readFile(pidFile, 'utf8').catch(ignoring('ENOENT'));
  if (text === undefined) return undefined;
  const pid = Number.parseInt(text, 10);
  if (!(pid > 0)) {
    await rm(pidFile); // emptied by a power cut; PostgreSQL would refuse to judge it
    return undefined;
  }
  const home = await realpath(cluster);
  const began = performance.now();
  const pending = [...IMPATIENCE];
  for (let looks = 0; await isServerOf(home, pid); looks += 1) {
    const waited = performance.now() - began;
    if (looks === 1) report('the database of the previous run is still stopping, waiting for it …');
    if (waited > BOUND) {
      const message = `the previous database server (process ${pid}) does not stop: end it, then start again`;
      throw new EmbeddedPostgresError('still-running', message);
    }
    const [next] = pending;
    if (next && waited > next[0]) {
      pending.shift();
      signal(pid, next[1]);
    }
    await sleep(50);
  }
  return pid;
};

const signal = (pid: number, name: NodeJS.Signals): void => {
  try {
    process.kill(pid, name);
  } catch (error) {
    ignoring('ESRCH')(error); // it has just ended
  }
};

/** A server works in its cluster's folder; on systems without /proc the folder stands in its command line. */
const isServerOf = async (cluster: string, pid: number): Promise<boolean> => {
  if (process.platform === 'linux') {
    return (await readlink(`/proc/${pid}/cwd`).catch(() => undefined)) === cluster; // unreadable: gone, or a stranger's
  }
  const ps = await promisify(execFile)('ps', ['-ww', '-o', 'command=', '-p', String(pid)]).catch(() => undefined);
  return ps?.stdout.includes(`-D ${cluster}`) ?? false;
};
