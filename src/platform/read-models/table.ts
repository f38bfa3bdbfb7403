/**
 * A read model's table, declared once: its row type, its upsert and its selects are all made from this declaration.
 * Fields are camelCase in code and snake_case in the database, mapped here and nowhere else.
 */
import { type Statement, statement } from '../sql/database.ts';

declare const rowType: unique symbol;
export type Column<T> = {
  readonly type: string;
  readonly nullable: boolean;
  /** For sorting and searching: written, never read back. */
  readonly internal?: true;
  readonly [rowType]?: T;
};
/** A column that only the database needs: to sort by, to search in. */
export const internal = <T>(inner: Column<T>): Internal<T> => ({ ...inner, internal: true });
export type Internal<T> = Column<T> & { readonly internal: true };
/** The row as queries answer it. */
export type ShownOf<C extends Columns> = RowOf<{ [K in keyof C as C[K] extends { internal: true } ? never : K]: C[K] }>;
export type Columns = Readonly<Record<string, Column<unknown>>>;
export type RowOf<C extends Columns> = { readonly [K in keyof C]: C[K] extends Column<infer T> ? T : never };

const column =
  <Default>(type: string) =>
  <T = Default>(): Column<T> => ({ type, nullable: false });
export const uuid = column<string>('uuid');
/** Compared and sorted byte by byte, which is the same on every machine. */
export const text = column<string>('text collate "C"');
export const smallint = column<number>('smallint');
export const integer = column<number>('integer');
/** RFC 3339 in UTC. */
export const instant = column<string>('timestamptz');
export const json = column<unknown>('jsonb');
export const orNull = <T>(inner: Column<T>): Column<T | null> => ({ type: inner.type, nullable: true });

export type Table<Row> = {
  readonly name: string;
  readonly columns: Columns;
  /** `id, owner_id as "ownerId", …`: what a query selects to get rows, without what only the database needs of them. */
  readonly selected: string;
  /** Writes a set of rows whole; $1 is their JSON. */
  readonly upsert: Statement;
  readonly [rowType]?: Row;
};

/** The row's `version` is its stream's, kept by the fold; its key is `id`, the aggregate's. */
export type FoldedColumns = { readonly id: Column<string>; readonly version: Column<number> };

export const table = <C extends Columns & FoldedColumns>(name: string, columns: C): Table<RowOf<C>> => {
  const fields = Object.entries(columns);
  const names = fields.map(([field]) => snakeCase(field));
  const types = fields.map(([field, { type }]) => `"${field}" ${type}`);
  const updated = names.filter((column) => column !== '"id"').map((column) => `${column} = excluded.${column}`);
  return {
    name,
    columns,
    selected: fields
      .filter(([, column]) => !column.internal)
      .map(([field]) => `${snakeCase(field)} as "${field}"`)
      .join(', '),
    // The columns are named: with a generated or a newer column, `select *` would fail or write nulls over defaults.
    upsert: statement(
      `${name}-upsert`,
      `insert into ${name} (${names.join(', ')}) select ${fields.map(([field]) => `"${field}"`).join(', ')}
       from json_to_recordset($1::json) r(${types.join(', ')})
       on conflict (id) do update set ${updated.join(', ')}`,
    ),
  };
};

/** Quoted, so that a field may be called `order`. */
const snakeCase = (field: string): string => `"${field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}"`;
