/** What may keep the embedded database from running, each with what a person can do about it in the message. */

export type EmbeddedPostgresFault =
  | 'unsupported-platform'
  | 'binaries-incomplete'
  | 'data-dir-not-writable'
  | 'data-dir-owned-by-another'
  | 'not-a-cluster'
  | 'other-version'
  | 'wrong-password'
  | 'disk-full'
  | 'still-running'
  | 'did-not-start';

export class EmbeddedPostgresError extends Error {
  override readonly name = 'EmbeddedPostgresError';
  readonly code: EmbeddedPostgresFault;
  constructor(code: EmbeddedPostgresFault, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** The code of a failed system call (`ENOENT`); undefined for any other error. */
export const systemCode = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

/** For `.catch`: answers undefined for the one expected code, and throws everything else on. */
export const ignoring =
  (code: string) =>
  (error: unknown): undefined => {
    if (systemCode(error) !== code) throw error;
  };

/** A failed file operation under DATA_DIR as an error with a cure; anything else comes back as it is. */
export const folderFault = (error: unknown, dataDir: string): unknown => {
  const code = systemCode(error);
  if (code === 'ENOSPC' || code === 'EDQUOT') return diskFull(dataDir, error);
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS' || code === 'ENOTDIR' || code === 'EEXIST') {
    const why = error instanceof Error ? error.message : code;
    return new EmbeddedPostgresError(
      'data-dir-not-writable',
      `the data folder ${dataDir} cannot be written (${why}): give this user the folder, or choose another with DATA_DIR`,
      error,
    );
  }
  return error;
};

/** PostgreSQL's own last words, as the error of a start (or of initdb) that failed. */
export const startFault = (summary: string, lastWords: string, dataDir: string): EmbeddedPostgresError =>
  /No space left on device|Disk quota exceeded/.test(lastWords)
    ? diskFull(dataDir)
    : new EmbeddedPostgresError('did-not-start', `${summary}. Its last words:\n${lastWords.replace(/^/gm, '  ')}`);

const diskFull = (dataDir: string, cause?: unknown): EmbeddedPostgresError =>
  new EmbeddedPostgresError(
    'disk-full',
    `no space is left for the database in ${dataDir}: free some (a new one takes about 50 MB) and start again; ` +
      'nothing that was acknowledged is lost',
    cause,
  );
