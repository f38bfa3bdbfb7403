/**
 * The connection died when COMMIT was already sent: did it happen? Nobody is answered, and nothing is tried again,
 * before that is known.
 *
 * The server is asked what became of the transaction, until it is no longer under way (its backend may outlive the
 * connection). "Committed" is then checked against the store, for a transaction's number says nothing any more once
 * another server took this one's place. Rejected: taking the stream's lock and looking only for the event, as that
 * cannot settle a commit without events.
 */
import type { Refusal } from '../resilience/refusal.ts';
import { type Database, statement } from '../sql/database.ts';
import { DatabaseUnavailable, StatementFault } from '../sql/errors.ts';

/** It may have been done or not; repeating it with the same idempotency key is safe. */
export class OutcomeUnknown extends Error {
  override readonly name = 'OutcomeUnknown';
  readonly refusal: Refusal = 'outcome-unknown';
  constructor() {
    super('the database fell silent during the commit; whether it was done is not known');
  }
}

const PATIENCE = 2_000;
const PAUSE = 50;
const STATUS = statement('settle-status', 'select pg_xact_status($1::xid8) as status');
const STORED = statement('settle-stored', 'select exists (select from event where id = $1) as stored');

/** True when the transaction was committed, false when it never will be. Throws OutcomeUnknown after 2 s. */
export const settle = async (database: Database, tx: string, firstEvent: string | undefined): Promise<boolean> => {
  const patience = performance.now() + PATIENCE;
  while (performance.now() < patience) {
    try {
      const status = await statusOf(database, tx);
      if (status !== 'in progress') {
        if (firstEvent === undefined && status === undefined) break;
        if (firstEvent === undefined) return status === 'committed';
        // A statement of its own: in one with the status, it could look at a moment before the commit.
        const [event] = await database.read<{ stored: boolean }>(STORED, [firstEvent]);
        return event?.stored ?? false;
      }
    } catch (error) {
      if (!(error instanceof DatabaseUnavailable)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
  throw new OutcomeUnknown();
};

/** undefined = this server cannot say: it took the place of the one that gave the number. */
const statusOf = async (database: Database, tx: string): Promise<string | undefined> => {
  try {
    const [transaction] = await database.read<{ status: string | null }>(STATUS, [tx]);
    return transaction?.status ?? undefined;
  } catch (error) {
    if (error instanceof StatementFault) return undefined; // "transaction ID is in the future"
    throw error;
  }
};
