/**
 * Compares the tables that migrations make with those that are declared in code, on a server where both can be made: the
 * server itself says what a type, a default and a condition are, so that two ways to write one are no difference.
 */
import type { Table } from '../read-models/table.ts';
import type { DatabaseAddress } from '../sql/connection.ts';
import { type Difference, differenceOf } from './difference.ts';
import { migrate, withSession } from './migrate.ts';
import { declaredSql, shapesIn, type TableShape } from './shapes.ts';

export type Declaring = {
  readonly schema: string;
  /** Tables of the platform, in whose migrations the service has no say. */
  readonly before: readonly string[];
  /** The service's own migrations. */
  readonly folder: string;
  readonly tables: readonly Table<unknown>[];
  /** Tables that its migrations make by hand, for no read model. */
  readonly otherTables: readonly string[];
};

/** On a database of that address which is not there yet. Rejects when a migration cannot be applied to an empty one. */
export const compareTables = async (service: Declaring, address: DatabaseAddress): Promise<Difference> => {
  const { schema, before, folder, tables, otherTables } = service;
  const target = { address, schema, folders: before };
  if (before.length > 0) await migrate(target);
  const platform = before.length > 0 ? await tablesIn(address, schema) : [];
  await migrate({ ...target, folders: [...before, folder] });
  const passedOver = new Set([...platform.map(({ name }) => name), ...otherTables, 'schema_migration']);
  const made = (await tablesIn(address, schema)).filter(({ name }) => !passedOver.has(name));
  return differenceOf(made, await declaredTables(address, tables));
};

const DECLARED = 'declared';
const declaredTables = (address: DatabaseAddress, tables: readonly Table<unknown>[]): Promise<readonly TableShape[]> =>
  withSession({ address, schema: DECLARED }, async (session) => {
    await session.query(`create schema ${DECLARED}`);
    if (tables.length > 0) await session.query(declaredSql(tables));
    return shapesIn(session, DECLARED);
  });
const tablesIn = (address: DatabaseAddress, schema: string): Promise<readonly TableShape[]> =>
  withSession({ address, schema }, (session) => shapesIn(session, schema));
