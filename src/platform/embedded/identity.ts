/**
 * Whom PostgreSQL runs as. It refuses root and initdb refuses a user without a name, which is what we often are in
 * containers. Root runs it as the owner of the data folder; where that is root too, under another name for root (a user
 * namespace: nothing changes on disk), and where such namespaces are blocked, as nobody. A user without a name gets one
 * by a namespace as well. Whom root drops to keeps the right to pass folders that others may not enter, since the
 * binaries and the data may lie in somebody's 0700 home. Rejected: copying the binaries to where nobody can read them,
 * which costs 60 MB and still leaves the data unreachable.
 */
import { execFile } from 'node:child_process';
import { chown, stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { EmbeddedPostgresError } from './errors.ts';

const run = promisify(execFile);

type Owner = { readonly uid: number; readonly gid: number };
export type Identity = {
  /** What stands before a command so that it runs as this identity. */
  readonly prefix: readonly string[];
  /** Who must own the database's files; undefined when whatever we make is right as it is. */
  readonly owner: Owner | undefined;
};

const OURSELVES: Identity = { prefix: [], owner: undefined };
const ROOT: Owner = { uid: 0, gid: 0 };
const NOBODY: Owner = { uid: 65534, gid: 65534 };

/**
 * The identity under which `postgres` can run here and work in `dataDir`. Throws EmbeddedPostgresError
 * `unsupported-platform`, with the reasons, when there is none.
 */
export const chooseIdentity = async (dataDir: string, postgres: string): Promise<Identity> => {
  const failures: string[] = [];
  for (const identity of await candidatesFor(dataDir)) {
    const [program = '', ...args] = [...identity.prefix, 'sh', '-c', 'id -un && exec "$0" --version', postgres];
    try {
      await run(program, args, { cwd: '/' });
      return identity;
    } catch (error) {
      failures.push(error instanceof Error ? error.message.trim() : String(error));
    }
  }
  throw new EmbeddedPostgresError(
    'unsupported-platform',
    'the embedded PostgreSQL cannot run here: it needs Linux with glibc or macOS, and a user who is not root and has a ' +
      `name (in /etc/passwd). Start as such a user, or run a PostgreSQL of your own and set DB_HOST\n${failures.join('\n')}`,
  );
};

const candidatesFor = async (dataDir: string): Promise<readonly Identity[]> => {
  if (process.getuid?.() !== 0) return [OURSELVES, renamed(OURSELVES)];
  const owner = await stat(dataDir);
  if (owner.uid === 0) return [renamed({ prefix: [], owner: ROOT }), droppedTo(NOBODY)];
  return [droppedTo(owner), renamed(droppedTo(owner))];
};

const renamed = ({ prefix, owner }: Identity): Identity => ({
  prefix: [...prefix, 'unshare', '--user', `--map-user=${NOBODY.uid}`, `--map-group=${NOBODY.gid}`, '--'],
  owner,
});

const droppedTo = ({ uid, gid }: Owner): Identity => ({
  prefix: [
    'setpriv',
    `--reuid=${uid}`,
    `--regid=${gid}`,
    '--clear-groups',
    '--inh-caps=+dac_override',
    '--ambient-caps=+dac_override',
    '--',
  ],
  owner: { uid, gid },
});

/** Makes the file or folder the identity's own. */
export const giveTo = async ({ owner }: Identity, path: string): Promise<void> => {
  if (owner) await chown(path, owner.uid, owner.gid);
};

/** The same for a folder and all that is in it, unless it is so already: a cluster may come from another identity. */
export const giveAllTo = async ({ owner }: Identity, folder: string): Promise<void> => {
  if (!owner || (await stat(folder)).uid === owner.uid) return;
  await run('chown', ['-R', `${owner.uid}:${owner.gid}`, folder]);
};
