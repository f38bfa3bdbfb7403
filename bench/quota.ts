/** A share of a core, held by the kernel's control groups: a small machine for a process, on a large one. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';

/** µs after which a share is given anew: short, so that who has used up theirs does not stand still for long. */
const PERIOD = 20_000;
/** Version 1 has a tree for each controller, version 2 one tree for all. */
const V1 = '/sys/fs/cgroup/cpu';
const V2 = '/sys/fs/cgroup';

/**
 * Holds processes, and all that they start from then on, to `share` of a core together, until it is disposed of. Linux alone,
 * and as root; elsewhere it throws, and says so.
 */
export const hold = (name: string, pids: readonly number[], share: number): Disposable => {
  const tree = existsSync(V1) ? V1 : V2;
  const folder = `${tree}/taskwire-bench-${name}`;
  const put = (into: string, all: readonly number[]) => {
    for (const pid of all) writeFileSync(`${into}/cgroup.procs`, String(pid));
  };
  const quota = String(Math.round(share * PERIOD));
  try {
    if (tree === V2) writeFileSync(`${V2}/cgroup.subtree_control`, '+cpu');
    mkdirSync(folder, { recursive: true });
    if (tree === V2) writeFileSync(`${folder}/cpu.max`, `${quota} ${PERIOD}`);
    else {
      writeFileSync(`${folder}/cpu.cfs_period_us`, String(PERIOD));
      writeFileSync(`${folder}/cpu.cfs_quota_us`, quota);
    }
    put(folder, pids);
  } catch (cause) {
    throw new Error('needs control groups of Linux, as root', { cause });
  }
  return {
    [Symbol.dispose]: () => {
      put(tree, readFileSync(`${folder}/cgroup.procs`, 'utf8').trim().split('\n').map(Number));
      rmdirSync(folder);
    },
  };
};
