/** Whether a process that a file names is still the one it meant: pids are used again, soon in a container. */
import { readFileSync } from 'node:fs';
import { systemCode } from './errors.ts';

export type ProcessName = {
  readonly pid: number;
  /** When it started, in clock ticks since boot (field 22 of /proc/<pid>/stat); '' where there is no /proc. */
  readonly processStart: string;
};

/** This process, by a name that no later one will have. */
export const ownProcess = (): ProcessName => ({ pid: process.pid, processStart: statOf(process.pid)?.start ?? '' });

/** False for a dead process, a zombie, and another one that was given the same pid later. */
export const isAlive = ({ pid, processStart }: ProcessName): boolean => {
  if (!hasPid(pid)) return false;
  const stat = statOf(pid);
  if (stat === undefined) return processStart === ''; // no /proc: the pid is all there is to compare
  return stat.state !== 'Z' && stat.state !== 'X' && (processStart === '' || processStart === stat.start);
};

const hasPid = (pid: number): boolean => {
  if (!Number.isInteger(pid) || pid <= 0) return false; // 0 and below would mean groups of processes
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return systemCode(error) === 'EPERM'; // there, but another user's
  }
};

const statOf = (pid: number): { readonly state: string; readonly start: string } | undefined => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in brackets and may itself hold spaces and brackets.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '', start: fields[19] ?? '' };
  } catch {
    return undefined; // gone, or no /proc
  }
};
