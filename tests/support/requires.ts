import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe, test } from 'vitest';

/**
 * A tool that some tests need and a machine may lack (a browser, Java, a Python program). Where it is missing, its tests
 * are reported as not run, with the reason and the cure; in CI, which must bring everything, they fail.
 *
 *     const redis = requirement('redis-server', 'apt-get install redis-server', () => findOnPath('redis-server'));
 *     redis.describe('the cache on Redis', (executable) => { … });
 */
export const requirement = <Found>(name: string, cure: string, probe: () => Found | undefined) => {
  const found = probe();
  const reason = `needs ${name} (${cure})`;
  return {
    describe: (title: string, suite: (found: Found) => void) =>
      describe(title, () => {
        if (found !== undefined) return suite(found);
        test(reason, ({ skip }) => {
          if (process.env.CI) throw new Error(`${reason}; CI leaves no test out`);
          skip(reason);
        });
      }),
  };
};

/** The path of an executable, also where no PATH leads to (`/usr/lib/postgresql/15/bin`). */
export const findOnPath = (executable: string, ...moreFolders: readonly string[]): string | undefined =>
  [...(process.env.PATH ?? '').split(delimiter), ...moreFolders]
    .map((folder) => join(folder, executable))
    .find(isExecutable);

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};
