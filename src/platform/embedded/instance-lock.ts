/**
 * <DATA_DIR>/server.json: the lock of the folder, and the place where the CLI finds the running server.
 *
 * Whoever creates the file holds the folder. It is made complete under a name of its own and then given the common name
 * by link(2), which one of many succeeds in, so nobody ever reads half a file. Its holder alone replaces it (rename) and
 * removes it, and while that process lives everybody else is refused.
 *
 * The file of a dead holder must be taken over by exactly one. "Remove it, then create mine" would let the slower of
 * two remove the file that the faster has just made. So only one may replace a given stale file: the one that holds the
 * claim named after that file's content (server.json.after-<digest>), made by link(2) as well. With the claim in hand it
 * looks again whether the stale file is still there: if not, someone else has been through already, and it drops the
 * claim and starts over; if so, nobody can change it but itself, and renaming the claim onto it ends the takeover in one
 * step. A process that dies with a claim in hand leaves a stale claim, which is taken over by the same rule.
 *
 * Rejected: flock(2), which Node does not offer; an abstract socket, which other containers on the same volume do not
 * see and macOS does not have; a claim that expires, for no time is surely long enough for a frozen process.
 */
import { createHash, randomUUID } from 'node:crypto';
import { chown, link, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { folderFault, ignoring, systemCode } from './errors.ts';
import { isAlive, ownProcess, type ProcessName } from './processes.ts';

/** What a running server tells about itself; it contains the database's password, hence the file's mode 0600. */
export type InstanceFacts = {
  /** Where it answers; absent until it does. */
  readonly url?: string;
  /** The embedded database; absent until it runs. */
  readonly database?: {
    readonly host: string;
    readonly port: number;
    readonly user: string;
    readonly password: string;
  };
};
export type Instance = ProcessName & InstanceFacts;

export type InstanceLock = {
  /** Replaces the facts at once, whole. */
  update(facts: InstanceFacts): Promise<void>;
  /** Gives the folder free; does nothing when it no longer is ours. */
  release(): Promise<void>;
};

/** The folder is in use by a process that lives. */
export class InstanceRunning extends Error {
  override readonly name = 'InstanceRunning';
  readonly code = 'instance-running';
  readonly instance: Instance;
  constructor(dataDir: string, instance: Instance) {
    const at = instance.url === undefined ? '' : ` at ${instance.url}`;
    super(
      `a server is already running on ${dataDir}${at} (process ${instance.pid}): ` +
        'stop it first, or start this one beside it with another DATA_DIR and another PORT',
    );
    this.instance = instance;
  }
}

/**
 * Takes the folder for this process, making it when it is missing. Throws InstanceRunning while a living process (this
 * one included) holds it, and EmbeddedPostgresError when the folder cannot be written.
 */
export const acquireInstanceLock = async (dataDir: string, facts: InstanceFacts = {}): Promise<InstanceLock> => {
  const file = fileIn(dataDir);
  let own = textOf(facts);
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    const holder = await withDraft(file, own, (draft) => take(file, draft));
    if (holder) throw new InstanceRunning(dataDir, holder);
  } catch (error) {
    throw folderFault(error, dataDir);
  }
  return {
    update: async (facts) => {
      own = textOf(facts);
      await withDraft(file, own, (draft) => rename(draft, file));
    },
    release: async () => {
      if ((await textIn(file)) === own) await rm(file, { force: true });
    },
  };
};

/** The server that runs on this folder, or undefined when none does. Throws when the file may not be read. */
export const readInstance = async (dataDir: string): Promise<Instance | undefined> => {
  const instance = parse(await textIn(fileIn(dataDir)));
  return instance && isAlive(instance) ? instance : undefined;
};

/** Gives `draft` the name `file`, unless a living process holds that: then answers who. */
const take = async (file: string, draft: string): Promise<Instance | undefined> => {
  for (;;) {
    if (await isFirst(draft, file)) return undefined;
    const text = await textIn(file);
    if (text === undefined) continue; // released between the two looks
    const holder = parse(text);
    if (holder && isAlive(holder)) return holder;
    const claim = `${file}.after-${createHash('sha256').update(text).digest('hex').slice(0, 16)}`;
    const rival = await take(claim, draft);
    if (rival) return rival;
    if ((await textIn(file)) === text) {
      await rename(claim, file);
      return undefined;
    }
    await rm(claim, { force: true });
  }
};

const isFirst = async (draft: string, file: string): Promise<boolean> => {
  try {
    await link(draft, file);
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw error;
  }
};

const withDraft = async <T>(file: string, text: string, use: (draft: string) => Promise<T>): Promise<T> => {
  const draft = `${file}.${randomUUID()}`;
  try {
    await writeFile(draft, text, { mode: 0o600, flag: 'wx' });
    if (process.getuid?.() === 0) {
      const { uid, gid } = await stat(dirname(file)); // the folder's owner starts the next server, maybe
      await chown(draft, uid, gid);
    }
    return await use(draft);
  } finally {
    await rm(draft, { force: true });
  }
};

const fileIn = (dataDir: string): string => join(dataDir, 'server.json');
const textIn = (file: string): Promise<string | undefined> => readFile(file, 'utf8').catch(ignoring('ENOENT'));
const textOf = (facts: InstanceFacts): string => `${JSON.stringify({ ...ownProcess(), ...facts })}\n`;

/** Undefined for what no process of ours wrote whole: a power cut may leave the file empty. */
const parse = (text: string | undefined): Instance | undefined => {
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isInstance(value) ? value : undefined;
  } catch {
    return undefined;
  }
};

const isInstance = (value: unknown): value is Instance =>
  typeof value === 'object' &&
  value !== null &&
  'pid' in value &&
  typeof value.pid === 'number' &&
  'processStart' in value &&
  typeof value.processStart === 'string';
