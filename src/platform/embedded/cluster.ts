/** The files of the database under DATA_DIR: made once, checked at each start. */
import { randomBytes } from 'node:crypto';
import { access, chmod, constants, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Binaries, MAJOR_VERSION } from './binaries.ts';
import { EmbeddedPostgresError, ignoring, startFault } from './errors.ts';
import { giveAllTo, giveTo, type Identity } from './identity.ts';
import type { Log } from './log.ts';
import { supervise } from './supervisor.ts';

export const SUPERUSER = 'postgres';

/** Where the cluster of a data folder lies. */
export const clusterIn = (dataDir: string): string => join(dataDir, 'postgres');

/**
 * Makes the data folder when it is missing, readable by us alone, and sees that it is ours to write. Throws
 * EmbeddedPostgresError when the cluster in it is another user's.
 */
export const prepareDataDir = async (dataDir: string): Promise<void> => {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  await access(dataDir, constants.W_OK | constants.X_OK);
  const folder = clusterIn(dataDir);
  const owner = (await stat(folder).catch(ignoring('ENOENT')))?.uid;
  const we = process.getuid?.();
  if (owner === undefined || we === 0 || we === owner) return;
  throw new EmbeddedPostgresError(
    'data-dir-owned-by-another',
    `the database in ${folder} belongs to user ${owner}, and this is user ${we}: start as that user, give ${dataDir} to ` +
      'this one with chown -R, or choose another folder with DATA_DIR',
  );
};

type Options = {
  readonly dataDir: string;
  readonly binaries: Binaries;
  readonly identity: Identity;
  readonly log: Log;
  readonly report: (line: string) => void;
};

/**
 * The cluster in `<dataDir>/postgres` with its superuser's password, made when there is none. Throws
 * EmbeddedPostgresError for a cluster of another version, a folder that is no cluster, and a failed initdb.
 */
export const openCluster = async (
  options: Options,
): Promise<{ readonly password: string; readonly created: boolean }> => {
  const { dataDir, identity } = options;
  const folder = clusterIn(dataDir);
  const created = !(await isCluster(folder));
  const password = await passwordIn(join(dataDir, 'postgres-password'), identity, created);
  if (created) await createCluster(folder, options);
  await giveAllTo(identity, folder);
  await chmod(folder, 0o700); // copies and volumes widen it, and PostgreSQL then refuses to start
  return { password, created };
};

const isCluster = async (folder: string): Promise<boolean> => {
  const found = await readdir(folder).catch(ignoring('ENOENT'));
  if (found === undefined || found.length === 0) return false;
  const version = (await readFile(join(folder, 'PG_VERSION'), 'utf8').catch(ignoring('ENOENT')))?.trim();
  if (version === MAJOR_VERSION) return true;
  if (version === undefined) {
    const message = `${folder} holds something that is no database: move it away, or choose another DATA_DIR`;
    throw new EmbeddedPostgresError('not-a-cluster', message);
  }
  throw new EmbeddedPostgresError(
    'other-version',
    `the database in ${folder} was written by PostgreSQL ${version}, and this release brings ${MAJOR_VERSION}: start ` +
      `the release that wrote it, or carry the data over with the pg_upgrade or pg_dump of PostgreSQL ${MAJOR_VERSION}`,
  );
};

/** Written before the cluster that is made with it, so a cluster without its password was tampered with. */
const passwordIn = async (file: string, identity: Identity, mayMake: boolean): Promise<string> => {
  const known = (await readFile(file, 'utf8').catch(ignoring('ENOENT')))?.trim();
  if (known) return known;
  if (!mayMake) {
    const message = `the database's password is missing: bring ${file} back from where the data folder came from`;
    throw new EmbeddedPostgresError('wrong-password', message);
  }
  const password = randomBytes(24).toString('base64url');
  const handle = await open(file, 'w', 0o600);
  try {
    await handle.writeFile(`${password}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await giveTo(identity, file);
  return password;
};

/** Made under another name and renamed when whole and on disk: what bears the name `postgres` was never half-made. */
const createCluster = async (folder: string, options: Options): Promise<void> => {
  const { dataDir, binaries, identity, log, report } = options;
  report('creating the database cluster (first start, takes a few seconds) …');
  for (const name of await readdir(dataDir)) {
    if (name.startsWith('postgres.new-'))
      await rm(join(dataDir, name), { recursive: true, force: true, maxRetries: 5 });
  }
  const draft = `${folder}.new-${randomBytes(4).toString('hex')}`;
  await mkdir(draft, { mode: 0o700 });
  await giveTo(identity, draft);
  const since = log.mark();
  const initdb = supervise(
    [
      ...identity.prefix,
      binaries.initdb,
      '-D',
      draft,
      `--username=${SUPERUSER}`,
      '--data-checksums',
      '--auth=scram-sha-256',
      `--pwfile=${join(dataDir, 'postgres-password')}`,
      '--no-instructions',
      // The builtin provider sorts the same on every machine; locale C needs nothing installed on any.
      '--encoding=UTF8',
      '--locale=C',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
    ],
    log.output,
  );
  const end = await initdb.ended;
  if (end !== 'exit 0') {
    await rm(draft, { recursive: true, force: true });
    throw startFault(`the database cluster could not be created (initdb: ${end})`, log.tail(since), dataDir);
  }
  await rename(draft, folder);
  const parent = await open(dataDir);
  await parent.sync().finally(() => parent.close());
};
