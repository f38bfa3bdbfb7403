/** Who rebuilds a read model just now, and what a rebuild left that was killed. */
import { type Session, statement } from '../sql/database.ts';
import { DatabaseUnavailable } from '../sql/errors.ts';

/** Another process is at it. */
export class RebuildRunning extends Error {
  override readonly name = 'RebuildRunning';
}

/** Under which name a table is made anew beside itself. */
export const copyName = (name: string): string => `${name}_rebuild`;

/** The same in every process, for the table of this name in this schema. */
const KEY = `hashtextextended(current_schema() || '.' || $1 || ' is rebuilt', 11)`;
const CLAIM = statement('rebuild-claim', `select pg_advisory_lock(${KEY})`);

/**
 * Claims the rebuild of a table for as long as the session lives. Throws RebuildRunning when somebody has it for 2 s: the
 * server takes a moment to notice that a process was killed.
 */
export const claimRebuild = async (session: Session, name: string): Promise<void> => {
  await session.query(`set lock_timeout = '2s'`);
  try {
    await session.query(CLAIM, [name]);
  } catch (error) {
    if (!(error instanceof DatabaseUnavailable) || error.connectionLost) throw error;
    throw new RebuildRunning(`${name} is being rebuilt by another process`);
  }
  await session.query('set lock_timeout = 0');
};

export type RebuildState = { readonly rows: number; readonly running: boolean; readonly leftover: boolean };
const STATE = (name: string) => `
  select (select count(*) from ${name}) as rows, to_regclass($2) is not null as leftover, exists (
    select from pg_locks, (select ${KEY} as key) wanted
    where locktype = 'advisory' and objsubid = 1 and granted and classid::bigint << 32 | objid::bigint = key
      and database = (select oid from pg_database where datname = current_database())) as running`;

/** How many rows it has, whether it is being rebuilt, and whether there is an unfinished copy beside it. */
export const rebuildState = async (session: Session, name: string): Promise<RebuildState> => {
  const { rows } = await session.query<RebuildState>(STATE(name), [name, copyName(name)]);
  return rows[0] ?? { rows: 0, running: false, leftover: false };
};
