/** What processes cost, read from Linux's /proc. A process that ends meanwhile counts as nothing. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** The kernel counts CPU time for user space in hundredths of a second on every platform of Node's. */
const MICROSECONDS_PER_TICK = 10_000;

/** The process and its descendants. */
export function tree(root: number): number[] {
  const children = Map.groupBy(everyone(), (pid) => Number(statOf(pid)[1]));
  const found = [root];
  for (const pid of found) found.push(...(children.get(pid) ?? []));
  return found;
}

/** Those who work in a folder: PostgreSQL's processes in their data folder, whoever started them. */
export const workingIn = (folder: string): number[] =>
  everyone().filter((pid) => read(() => readlinkSync(`/proc/${pid}/cwd`)).startsWith(folder));

/** Those whose command line names a folder, or what lies in it. */
export const naming = (folder: string): number[] =>
  everyone().filter((pid) => read(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8')).includes(folder));

/** CPU time so far in microseconds, that of children which have ended included. */
export const cpuTime = (pids: readonly number[]): number => sum(pids.map(ticksOf)) * MICROSECONDS_PER_TICK;

/** Proportional set sizes in bytes, summed by the name of the program. */
export function memory(pids: readonly number[]): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const pid of pids) {
    const name = read(() => readFileSync(`/proc/${pid}/comm`, 'utf8')).trim();
    const rollup = read(() => readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'));
    const kilobytes = Number(/^Pss: +(\d+) kB/m.exec(rollup)?.[1] ?? 0);
    sizes.set(name, (sizes.get(name) ?? 0) + kilobytes * 1024);
  }
  return sizes;
}

export const sum = (values: Iterable<number>): number => [...values].reduce((total, value) => total + value, 0);

const everyone = (): number[] => readdirSync('/proc').map(Number).filter(Number.isInteger);

/** utime, stime, cutime, cstime. */
const ticksOf = (pid: number): number => sum(statOf(pid).slice(11, 15).map(Number));

/** The fields of /proc/PID/stat from the third on; the second, the program's name, may hold anything. */
function statOf(pid: number): string[] {
  const stat = read(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function read(text: () => string): string {
  try {
    return text();
  } catch {
    return '';
  }
}
