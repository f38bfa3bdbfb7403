/** Connections behind the product's back, of which any may break at any time. */
import pg from 'pg';
import type { DatabaseAddress } from '../../src/platform/sql/connection.ts';

export type Sql = <Row extends pg.QueryResultRow = pg.QueryResultRow>(
  text: string,
  values?: unknown[],
) => Promise<Row[]>;

export const connect = async (address: DatabaseAddress & { readonly options?: string }): Promise<pg.Client> => {
  const client = new pg.Client(address);
  client.on('error', () => undefined); // told by the next query
  await client.connect();
  return client;
};

/** A connection for each statement: between two of them the server may have been killed. */
export const sqlOn =
  (address: () => Promise<DatabaseAddress>): Sql =>
  async (text, values) => {
    const client = await connect(await address());
    try {
      return (await client.query(text, values)).rows;
    } finally {
      await client.end().catch(() => undefined);
    }
  };

/** Ends the connections of the product. */
export const CUT = "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'taskwire %'";

/**
 * Takes every connection of the server at `address`, also the reserve: its user must be a superuser. The product's are
 * ended, again and again: one that it is just opening is in no view yet, so that we are done only when all are ours.
 */
export const takeAllConnections = async (address: DatabaseAddress): Promise<readonly pg.Client[]> => {
  const first = await connect(address);
  const { rows } = await first.query<{ max: number }>("select current_setting('max_connections')::int as max");
  const taken = [first];
  while (taken.length < Number(rows[0]?.max)) {
    try {
      taken.push(await connect(address));
    } catch (error) {
      if (!(error instanceof pg.DatabaseError && error.code === '53300')) throw error;
      await first.query(CUT);
    }
  }
  return taken;
};
