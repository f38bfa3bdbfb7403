/** What may go wrong with a database, in three kinds, so that nobody else reads SQLSTATEs. */
import pg from 'pg';
import type { Refusal } from '../resilience/refusal.ts';

/** The database cannot be asked just now: away, restarting, overloaded, too slow. Worth another try, later. */
export class DatabaseUnavailable extends Error {
  override readonly name = 'DatabaseUnavailable';
  readonly refusal: Refusal = 'unavailable';
  /** The connection broke or fell silent, so what was under way on it may have happened or not. */
  readonly connectionLost: boolean;
  constructor(cause: unknown, connectionLost: boolean) {
    super(`the database is unavailable: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.connectionLost = connectionLost;
  }
}

/** The fault of one statement's own values or expectations (SQLSTATE classes 22, 23 and our TW). */
export class StatementFault extends Error {
  override readonly name = 'StatementFault';
  readonly sqlState: string;
  readonly constraint: string | undefined;
  /** ` (column title of known_task)`: what it was about, without a value; empty where the server does not say. */
  readonly place: string;
  constructor(cause: pg.DatabaseError) {
    super(`${cause.code}: ${cause.message}`, { cause });
    this.sqlState = cause.code ?? '';
    this.constraint = cause.constraint;
    const what = cause.constraint ? `constraint ${cause.constraint}` : cause.column && `column ${cause.column}`;
    this.place = cause.table ? ` (${what ? `${what} of ` : ''}${cause.table})` : '';
  }
}

/** The SQLSTATE that `expect` raises when a statement did not touch as many rows as it must. */
export const EXPECTATION_MISSED = 'TW001';

// 08 connection, 53 resources (connections, memory, disk), 57 operator (shutdown, crash, cancelled), 58 I/O,
// 25P03/25P04 transaction timeouts, 40 serialization and deadlock, 55P03 lock timeout, 25006 a server that became read-only,
// 55000 one that is in recovery still, asked where its log stands.
const UNAVAILABLE = /^(08|40|53|57|58)|^(25P03|25P04|55P03|25006|55000)$/;
const CONNECTION_ENDED = /^(08|57P)/;
const FAREWELL = /^57P/;
const FAULT = /^(22|23|TW)/;
/** The messages and codes with which node-postgres and sockets say that there is no connection (any more). */
const CONNECTION_LOST =
  /^(Connection terminated|Query read timeout|timeout expired|timeout exceeded|Client has encountered|Client was closed)/;

/** Whether it is the server's last word on its connection, whose end has yet to arrive. */
export const endsConnection = (error: unknown): boolean =>
  error instanceof pg.DatabaseError && FAREWELL.test(error.code ?? '');

/** Any error of a query as one of ours; what is none of these kinds is a bug and comes back as it is. */
export const classifyError = (error: unknown): unknown => {
  if (error instanceof pg.DatabaseError) {
    const code = error.code ?? '';
    if (FAULT.test(code)) return new StatementFault(error);
    return UNAVAILABLE.test(code) ? new DatabaseUnavailable(error, CONNECTION_ENDED.test(code)) : error;
  }
  if (error instanceof AggregateError && error.errors.length > 0) return classifyError(error.errors[0]); // every address of a host refused
  if (error instanceof Error && (CONNECTION_LOST.test(error.message) || isSocketError(error))) {
    return new DatabaseUnavailable(error, true);
  }
  return error;
};
const isSocketError = (error: Error): boolean => 'syscall' in error || ('code' in error && error.code === 'EPIPE');
