/**
 * One service's database as the rest of the platform sees it: reads that share a few pipelined connections, and
 * sessions that belong to one caller. Nothing waits for a connection to be free: a read takes the connection with the
 * fewest answers outstanding. (A pool that lends a connection per query costs twice the client CPU.)
 */
import type pg from 'pg';
import { collecting } from '../telemetry/collectors.ts';
import { gauges } from '../telemetry/metrics.ts';
import { type ConnectionOptions, connect } from './connection.ts';
import { classifyError, DatabaseUnavailable, endsConnection } from './errors.ts';

/** SQL that the server prepares once per connection, under a name that stands for this text everywhere. */
export type Statement = { readonly name: string; readonly text: string };
/** A name and its text. The driver refuses another text under a name that its connection knows. */
export const statement = (name: string, text: string): Statement => ({ name, text });

export type Session = {
  /** Sends at once, without waiting for what was sent before; answers come in order. */
  query<Row = unknown>(statement: Statement | string, values?: readonly unknown[]): Promise<Result<Row>>;
  /** Whether the connection still stands. */
  readonly alive: () => boolean;
  close(): Promise<void>;
};
type Result<Row> = { readonly rows: readonly Row[]; readonly command: string; readonly count: number };

export type Database = {
  /** A statement that changes nothing: asked a second time when its connection broke under it. */
  read<Row>(statement: Statement, values: readonly unknown[]): Promise<readonly Row[]>;
  /** One statement that is its own transaction; never repeated by itself. */
  write<Row>(statement: Statement, values: readonly unknown[]): Promise<readonly Row[]>;
  /** A connection for one caller, who closes it. */
  openSession(): Promise<Session>;
  close(): Promise<void>;
};

/** Connects when first asked, and again whenever a connection was lost; so nobody waits at the start for a database. */
export const openDatabase = (options: ConnectionOptions & { readonly connections: number }): Database => {
  let closed = false;
  let lent: readonly Session[] = [];
  const opening = async (): Promise<Session> => {
    if (closed) throw new DatabaseUnavailable(new Error('this process is stopping'), false);
    return sessionOn(await connect(options));
  };
  const openSession = async (): Promise<Session> => {
    const session = await opening();
    lent = [...lent.filter(({ alive }) => alive()), session];
    return session;
  };

  type Slot = { session: Session | undefined; opening: Promise<Session> | undefined; outstanding: number };
  const slots = Array.from(
    { length: options.connections },
    (): Slot => ({ session: undefined, opening: undefined, outstanding: 0 }),
  );
  const quietest = () => slots.reduce((best, slot) => (slot.outstanding < best.outstanding ? slot : best));
  const open = async (slot: Slot): Promise<Session> => {
    try {
      slot.session = await opening();
      return slot.session;
    } finally {
      slot.opening = undefined; // after a failure, the next query tries anew
    }
  };
  const sessionOf = (slot: Slot): Session | Promise<Session> => {
    if (slot.session?.alive()) return slot.session;
    slot.opening ??= open(slot);
    return slot.opening;
  };

  const write = async <Row>(statement: Statement, values: readonly unknown[]): Promise<readonly Row[]> => {
    const slot = quietest();
    slot.outstanding += 1;
    try {
      const session = await sessionOf(slot);
      return (await session.query<Row>(statement, values)).rows;
    } finally {
      slot.outstanding -= 1;
    }
  };

  const pool = poolName(options);
  const stopCollecting = collecting('pools', () => {
    const standing = slots.filter(({ session }) => session?.alive());
    const busy = standing.filter(({ outstanding }) => outstanding > 0);
    const waiting = slots.reduce((sum, { outstanding }) => sum + Math.max(0, outstanding - 1), 0);
    return [
      () => gauges.poolConnections.inc({ pool, state: 'in-use' }, busy.length),
      () => gauges.poolConnections.inc({ pool, state: 'idle' }, standing.length - busy.length),
      () => gauges.poolConnections.inc({ pool, state: 'lent' }, lent.filter(({ alive }) => alive()).length),
      () => gauges.poolWaiting.inc({ pool }, waiting),
    ];
  });
  return {
    write,
    read: async (statement, values) => {
      const began = performance.now();
      try {
        return await write(statement, values);
      } catch (error) {
        const brokeAtOnce =
          error instanceof DatabaseUnavailable && error.connectionLost && performance.now() - began < 1_000;
        if (!brokeAtOnce) throw error;
        return await write(statement, values);
      }
    },
    openSession,
    close: async () => {
      closed = true;
      stopCollecting();
      await Promise.all(slots.map(({ session }) => session?.close()));
    },
  };
};

/** `task`, `task keys`, `task relay`, `bus`. */
const poolName = ({ applicationName, schema }: ConnectionOptions): string =>
  `${applicationName.replace(/^taskwire /, '')}${schema === 'keys' ? ' keys' : ''}`;

/** A client as a session: errors classified, the end of the connection noticed. */
export const sessionOn = (client: pg.Client): Session => {
  let alive = true;
  client.on('error', () => {
    alive = false; // whoever has a query under way is told by that query
  });
  client.on('end', () => {
    alive = false;
  });
  return {
    alive: () => alive,
    query: async <Row>(statement: Statement | string, values: readonly unknown[] = []): Promise<Result<Row>> => {
      const text = typeof statement === 'string' ? { text: statement } : statement;
      try {
        const { rows, command, rowCount } = await client.query({ ...text, values: [...values] });
        return { rows: rows as Row[], command, count: rowCount ?? 0 };
      } catch (error) {
        if (endsConnection(error)) alive = false; // or the next query would be sent after it
        throw classifyError(error);
      }
    },
    close: async () => {
      alive = false;
      await Promise.race([client.end(), new Promise((resolve) => setTimeout(resolve, 1_000).unref())]);
    },
  };
};
