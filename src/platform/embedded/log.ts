/**
 * The database's log file. PostgreSQL writes into it directly, so that its last words stay even when we die first, and
 * we keep it small. Rejected: its own logging collector (one more process, and no bound on the whole).
 */
import { closeSync, copyFileSync, fstatSync, ftruncateSync, openSync, readFileSync } from 'node:fs';

const LIMIT = 4 * 1024 * 1024;
const INTERVAL = 60_000;

export type Log = {
  /** The open file, for a program's output. */
  readonly output: number;
  /** The last lines that were written since the call of `mark`. */
  tail(since: number): string;
  mark(): number;
  close(): void;
};

/**
 * Opens the file, made 0600 when missing. Beyond 4 MB, looked at now and once a minute, it is copied to `<file>.1` and
 * emptied; whoever writes goes on at its beginning, since it is open for appending.
 */
export const openLog = (file: string): Log => {
  const output = openSync(file, 'a', 0o600);
  const size = () => fstatSync(output).size;
  const bound = () => {
    if (size() <= LIMIT) return;
    copyFileSync(file, `${file}.1`);
    ftruncateSync(output);
  };
  bound();
  const timer = setInterval(bound, INTERVAL).unref();
  return {
    output,
    mark: size,
    tail: (since) => readFileSync(file).subarray(since).toString().trimEnd().split('\n').slice(-15).join('\n'),
    close: () => {
      clearInterval(timer);
      closeSync(output);
    },
  };
};
