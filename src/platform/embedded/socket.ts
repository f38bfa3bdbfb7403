/** The folder of the unix socket through which alone the database is reached. */
import { createHash } from 'node:crypto';
import { mkdir, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { giveTo, type Identity } from './identity.ts';

/** Part of the socket's name; no other server shares the folder. */
export const PORT = 5432;
/** A socket's path has 104 bytes on macOS and 108 on Linux, the closing zero included. */
const LONGEST_PATH = 103;

/**
 * The folder for the sockets of `dataDir`: in it when the path is short enough, else a private one under the system's
 * temporary folder that every start finds again. The former server is gone: its socket is removed.
 */
export const openSocketFolder = async (dataDir: string, identity: Identity): Promise<string> => {
  const near = join(dataDir, 'run');
  const folder = Buffer.byteLength(`${near}/.s.PGSQL.${PORT}`) <= LONGEST_PATH ? near : await farFolder(dataDir);
  // A killed server leaves its socket, and a lock that names a pid. Removing and making anew also fails, as it must, where
  // somebody else has put a folder of this name under the temporary one.
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { mode: 0o700 });
  await giveTo(identity, folder);
  return folder;
};

const farFolder = async (dataDir: string): Promise<string> => {
  const name = createHash('sha256')
    .update(await realpath(dataDir))
    .digest('hex')
    .slice(0, 16);
  return join(tmpdir(), `taskwire-${name}`);
};
