/** A database of its own for each test file: a clone of a migrated template, on one real server for the whole run. */
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';
import type { DatabaseAddress } from '../../src/platform/sql/connection.ts';

export const TEMPLATE = 'taskwire_template';

declare module 'vitest' {
  interface ProvidedContext {
    /** The superuser's connection to the server that tests/support/global-setup.ts started. */
    server: Omit<DatabaseAddress, 'database'>;
  }
}

export type TestDatabase = {
  readonly address: DatabaseAddress;
  /** As the superuser, for what a test must see or break behind the product's back. */
  sql<Row extends pg.QueryResultRow = pg.QueryResultRow>(text: string, values?: unknown[]): Promise<Row[]>;
  drop(): Promise<void>;
};

export const createTestDatabase = async (): Promise<TestDatabase> => {
  const server = inject('server');
  const address = { ...server, database: `test_${randomUUID().replaceAll('-', '')}` };
  await onServer(server, `create database ${address.database} template ${TEMPLATE}`);
  const client = new pg.Client(address);
  await client.connect();
  return {
    address,
    sql: async (text, values) => (await client.query(text, values)).rows,
    drop: async () => {
      await client.end();
      await onServer(server, `drop database ${address.database} with (force)`);
    },
  };
};

const onServer = async (server: Omit<DatabaseAddress, 'database'>, text: string): Promise<void> => {
  const client = new pg.Client({ ...server, database: 'postgres' });
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
};
