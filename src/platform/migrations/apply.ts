/**
 * How a migration is run: all of its file in one transaction, or, where its first line says so, each statement by itself.
 * A statement that waits for a table makes everybody wait who comes after it, readers too; so none waits for long, and the
 * file is tried again. Only what lets others go on meanwhile waits as long as it takes.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { type Session, statement } from '../sql/database.ts';
import { DatabaseUnavailable } from '../sql/errors.ts';
import { isWithoutTransaction, statementsIn } from './statements.ts';

export type Migration = { readonly name: string; readonly sql: string; readonly checksum: string };

const RECORD = statement('migration-record', 'insert into schema_migration (name, checksum) values ($1, $2)');
const LOCK_WAIT = '2s';
const TRIES = 60;
const REST = 500;

/** Runs and records it. Rejects with what the server said; a file in one transaction has then done nothing. */
export const apply = async (session: Session, { name, sql, checksum }: Migration): Promise<void> => {
  const record = () => session.query(RECORD, [name, checksum]);
  if (!isWithoutTransaction(sql)) {
    return patiently(session, async () => {
      await session.query(sql);
      await record();
    });
  }
  for (const { text, bare } of statementsIn(sql)) {
    if (bare === '') continue;
    // They read the table, and keep nobody from it; within a transaction they could not.
    if (/ (concurrently|validate constraint)\b/.test(bare)) await session.query(text);
    else await patiently(session, () => session.query(text).then(() => undefined));
  }
  await record();
};

/** In a transaction that gives up when it does not get a lock, and begins anew after a rest. */
const patiently = async (session: Session, run: () => Promise<void>): Promise<void> => {
  for (let tries = 1; ; tries += 1) {
    await session.query(`begin; set local lock_timeout = '${LOCK_WAIT}'`);
    try {
      await run();
      await session.query('commit');
      return;
    } catch (error) {
      await session.query('rollback');
      if (!waitedInVain(error) || tries === TRIES) throw error;
    }
    await pause(REST);
  }
};
const LOCK_NOT_AVAILABLE = '55P03';
const waitedInVain = (error: unknown): boolean =>
  error instanceof DatabaseUnavailable &&
  error.cause instanceof Error &&
  'code' in error.cause &&
  error.cause.code === LOCK_NOT_AVAILABLE;
