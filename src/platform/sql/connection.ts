/** How every connection of ours is opened: who it is, what it sees, and how long anything may take. */
import pg from 'pg';
import { classifyError } from './errors.ts';

export type DatabaseAddress = {
  /** A host name, an IP address, or the directory of a unix socket. */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
};
/** The role of who reads what a service has published, and may do nothing else in its schema. */
export const EVENT_READER = 'event_reader';

export type ConnectionOptions = {
  readonly address: DatabaseAddress;
  /** The schema that unqualified names mean. */
  readonly schema: string;
  /** The role whose rights the connection has; by default those of the user who logs in. */
  readonly role?: string;
  /** ms; 0 = without bound (migrations). The client gives up a little after the server would have. */
  readonly statementTimeout: number;
  readonly applicationName: string;
};

const CONNECT_TIMEOUT = 2_000;
const CLIENT_GRACE = 300;

/**
 * `2026-11-24 09:00:00.12+00` as `2026-11-24T09:00:00.120Z`: connections speak UTC, so the text needs no parsing into a
 * Date; the server drops trailing zeros, which would make one instant read in two ways.
 */
export const instantOf = (text: string): string => {
  const zone = text.length - '+00'.length;
  return `${text.slice(0, 10)}T${text.slice(11, 19)}.${text.slice(20, zone).padEnd(3, '0')}Z`;
};

const PARSERS: ReadonlyMap<number, (text: string) => unknown> = new Map<number, (text: string) => unknown>([
  [20, Number], // bigint: counts and positions stay far below 2^53
  [1082, (text) => text], // date: stays text, for a Date would move it into a zone
  [1184, instantOf],
]);
const types: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    (format !== 'binary' && PARSERS.get(oid)) || pg.types.getTypeParser(oid, format ?? 'text'),
};

/**
 * A connected client whose queries are pipelined: what is sent in one turn of the event loop is one round trip.
 * Role and timeouts are connection options, since `SET ROLE` would not apply a role's settings. Throws
 * DatabaseUnavailable when there is nobody to connect to within 2 s.
 */
export const connect = async (options: ConnectionOptions): Promise<pg.Client> => {
  const { address, schema, role, statementTimeout, applicationName } = options;
  const settings = {
    search_path: schema,
    ...(role && { role }),
    statement_timeout: String(statementTimeout),
    // Nothing of ours thinks while it holds a transaction open: the feed would wait for it.
    idle_in_transaction_session_timeout: '2000',
    timezone: 'UTC',
    datestyle: 'ISO', // what `instantOf` reads
    // A statement after a lock must see what the lock waited for: with a stricter default of the server, guards and
    // verdicts would be those of a moment before.
    default_transaction_isolation: 'read\\ committed',
    // Every list is one person's, read in the order of an index from where its page begins. Of a young table the planner
    // knows nothing yet, and would rather fetch all that the person has and sort it: 7 ms instead of 0.05 for 6,000 rows.
    enable_bitmapscan: 'off',
    // Nothing of ours reads a whole table. What looks up a set of ids in one that is still small would be planned so once,
    // and keep the plan while the table grows: 61 ms instead of 1 for 200 of 20,000 rows.
    enable_seqscan: 'off',
    // Before PostgreSQL 18 a plan that does what is switched off has a huge cost, and is compiled for seconds.
    jit: 'off',
  };
  const client = new pg.Client({
    ...address,
    types,
    pipeline: true,
    keepAlive: true,
    application_name: applicationName,
    connectionTimeoutMillis: CONNECT_TIMEOUT,
    ...(statementTimeout > 0 && { query_timeout: statementTimeout + CLIENT_GRACE }),
    options: Object.entries(settings)
      .map(([name, value]) => `-c ${name}=${value}`)
      .join(' '),
  });
  // A server that goes away may say so in the breath in which it lets us in, before our caller listens; unheard, it
  // would end the process. Whoever has a query under way is told by that query.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return client;
  } catch (error) {
    await client.end().catch(() => undefined); // it never lived; the error to tell is the first one
    throw classifyError(error);
  }
};
