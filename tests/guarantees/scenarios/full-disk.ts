/** The disk fills up under load, and is given space again. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmdirSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { systemCode } from '../../../src/platform/embedded/errors.ts';
import { until } from '../../support/until.ts';
import { atLeast, atMost, NONE, scenario } from '../kit/scenario.ts';
import { NAIVE_SERVER_ENDED, startNaiveServer } from '../load/naive-server.ts';
import { acknowledgedSince } from '../load/storm.ts';
import { ALL_KEPT, trial } from '../load/trial.ts';

const FILLS = { short: 1, full: 4 };
/** Of a statement, by its SQLSTATE (disk_full); of a database that had to end, in words. */
const SAID = /"53100"|no space is left/;
const SIZE = '160m';

const mount = (folder: string): void => {
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE},mode=0755`, 'tmpfs', folder], { stdio: 'pipe' });
};
const unmount = (folder: string): void => {
  execFileSync('umount', ['-l', folder], { stdio: 'pipe' });
};

/** Whether a file system can be mounted here. */
const canMount = (): true | undefined => {
  const folder = mkdtempSync(join(tmpdir(), 'taskwire-mount-'));
  try {
    mount(folder);
    unmount(folder);
    return true;
  } catch {
    return undefined; // no root, or a container that may not
  } finally {
    rmdirSync(folder);
  }
};

export const fullDisk = scenario('full-disk', {
  promise:
    'a disk without space costs 503 and a clear word, loses nothing that was acknowledged, and is recovered from',
  topologies: ['embedded'],
  needs: { name: 'the right to mount a tmpfs', cure: 'run as root', probe: canMount },
  run: async (stage) => {
    const disk = mkdtempSync(join(tmpdir(), 'taskwire-disk-'));
    mount(disk);
    try {
      const data = join(disk, 'data');
      mkdirSync(data);
      return await trial(stage, {
        installation: await stage.world.install({ DATA_DIR: data }),
        meanwhile: async ({ installation, server, writers }) => {
          const naive = await startNaiveServer(stage, installation);
          let [slowest, told] = [0, 0];
          const times = FILLS[stage.form];
          for (let n = 0; n < times; n += 1) {
            await pause(2_000); // under load
            await acknowledgedSince(writers);
            const before = { refused: writers.statuses.get(503) ?? 0, said: server.output().length };
            const filler = join(disk, 'filler');
            await fillUp(filler);
            await until('the disk to be missed', () => (writers.statuses.get(503) ?? 0) > before.refused, 120_000);
            await pause(stage.chance.between(1_000, 3_000));
            if (SAID.test(server.output().slice(before.said))) told += 1;
            await rm(filler);
            slowest = Math.max(slowest, await acknowledgedSince(writers, 60_000));
            stage.report(`filled ${n + 1} of ${times} times, served again after ${Math.round(slowest)} ms`);
          }
          return {
            'times full': times,
            'times that it said so': told,
            'ms until served again': Math.round(slowest),
            'servers that ended': server.running() ? 0 : 1,
            ...(await naive.stop()),
          };
        },
      });
    } finally {
      await stage.world.clear();
      unmount(disk);
      rmdirSync(disk);
    }
  },
  bounds: (form) => ({
    ...ALL_KEPT,
    ...NAIVE_SERVER_ENDED,
    'answered with 503': atLeast(1),
    'times that it said so': atLeast(FILLS[form]),
    'ms until served again': atMost(15_000),
    'servers that ended': NONE,
  }),
  controls: [],
});

/** Writes until nothing more fits. */
const fillUp = async (path: string): Promise<void> => {
  const file = await open(path, 'w');
  let size = 1024 * 1024;
  try {
    while (size >= 4096) {
      try {
        await file.write(Buffer.alloc(size));
      } catch (error) {
        if (systemCode(error) !== 'ENOSPC') throw error;
        size /= 2;
      }
    }
  } finally {
    await file.close();
  }
};
