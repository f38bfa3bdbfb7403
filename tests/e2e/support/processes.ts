/** The database processes of one data folder, as the system sees them. */
import { readdir, readFile, readlink, realpath } from 'node:fs/promises';

/** The main processes of databases that lie in `folder` or below it. */
export const postmastersBelow = async (folder: string): Promise<readonly number[]> => {
  const root = await realpath(folder);
  const found: number[] = [];
  for (const pid of await pids()) {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => '');
    if (cwd.startsWith(`${root}/`) && command.includes('\0-D\0')) found.push(pid);
  }
  return found;
};

/** The main process of the embedded PostgreSQL in `dataDir`, while there is one. */
export const postmasterOf = async (dataDir: string): Promise<number | undefined> =>
  (await postmastersBelow(dataDir))[0];

/** A process and those it started. */
export const withChildren = async (parent: number): Promise<readonly number[]> => {
  const children = await Promise.all(
    (await pids()).map(async (pid) => {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
      const [, ppid] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return Number(ppid) === parent ? [pid] : [];
    }),
  );
  return [parent, ...children.flat()];
};

/** Sends a signal to processes of which some may have just ended. */
export const signalAll = (processes: readonly number[], signal: NodeJS.Signals): void => {
  for (const pid of processes) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
    }
  }
};

const pids = async (): Promise<readonly number[]> =>
  (await readdir('/proc')).map(Number).filter((name) => Number.isInteger(name) && name > 0);
