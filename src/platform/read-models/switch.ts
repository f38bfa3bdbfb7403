/**
 * The last step of a rebuild: the copy takes the table's place, in one transaction that writers wait for.
 *
 *   share update exclusive   nobody waits, but vacuum and DDL: is the table still what it was copied from?
 *   share row exclusive      writers wait: the streams that changed since the last look are folded
 *   access exclusive         readers wait: the old table goes, the copy takes its name
 *
 * Who waited goes on with the new table: PostgreSQL looks its name up again, for prepared statements too. The row of a
 * commit that had appended its event, but waited to write its row, is written to the new one.
 */
import type { Session } from '../sql/database.ts';
import { DatabaseUnavailable } from '../sql/errors.ts';
import { alike, replaceByCopy, shapeOf, type TableShape } from './table-copy.ts';

export type Switch = {
  readonly session: Session;
  readonly name: string;
  readonly copy: string;
  readonly shape: TableShape;
  /** Brings the copy up to date, in the transaction; `false` when that is too much while others wait. */
  readonly redo: () => Promise<boolean>;
  readonly failPoint: (name: string) => void;
};

/**
 * ms. Others wait for less than a second: three steps and a lock at the most, or half a second, a lock and a step. Were we
 * frozen meanwhile, the server ends the transaction.
 */
const LOCK_WAIT = 200;
const STEP = 200;
const BEFORE_READERS_WAIT = 500;
const FROZEN = 500;

/**
 * How many ms writers waited; undefined when nothing happened because somebody held the table, or there was too much to
 * do: then another try makes sense. Throws when the table was changed meanwhile.
 */
export const switchToCopy = async (options: Switch): Promise<number | undefined> => {
  const { session } = options;
  try {
    const held = await inTransaction(options);
    if (held === undefined) await session.query('rollback');
    return held;
  } catch (error) {
    await session.query('rollback').catch(() => undefined); // the first error tells more; a session's end ends its transaction
    // A lock or a statement took too long, or we were chosen to end a deadlock.
    if (error instanceof DatabaseUnavailable && !error.connectionLost) return undefined;
    throw error;
  }
};

const inTransaction = async ({ session, name, copy, shape, redo, failPoint }: Switch): Promise<number | undefined> => {
  await session.query(`begin; set local lock_timeout = '10s'`);
  await session.query(`lock table ${name} in share update exclusive mode`);
  if (!alike(await shapeOf(session, name), shape) || !alike(await shapeOf(session, copy), shape)) {
    throw new Error(`${name} was changed while it was rebuilt: start again`);
  }
  await session.query(`set local lock_timeout = ${LOCK_WAIT}; set local statement_timeout = ${STEP};
    set local idle_in_transaction_session_timeout = ${FROZEN}`);
  const began = performance.now();
  const waiting = () => performance.now() - began;
  await session.query(`lock table ${name} in share row exclusive mode`);
  if (!(await redo()) || waiting() > BEFORE_READERS_WAIT) return undefined;
  await session.query(`lock table ${name} in access exclusive mode`);
  await replaceByCopy(session, name, copy, shape);
  failPoint('rebuild-switch');
  const { command } = await session.query('commit');
  if (command !== 'COMMIT') throw new Error(`${name} was not switched: the transaction was rolled back`);
  return waiting();
};
