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
  /** What rows get that do not say, as SQL: those that are there when the column comes, and those of the release before. */
  readonly default?: string;
  readonly [rowType]?: T;
};
/** A column that later releases add needs one, unless it may be null. */
export const defaulting = <T>(inner: Column<T>, sql: string): Column<T> => ({ ...inner, default: sql });
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
/** The same column, which may be null. */
export const orNull = <T>(inner: Column<T>): Column<T | null> => ({ type: inner.type, nullable: true });

export type Table<Row> = {
  readonly name: string;
  readonly columns: Columns & KeyedColumns;
  /** `id, owner_id as "ownerId", …`: what a query selects to get rows, without what only the database needs of them. */
  readonly selected: string;
  /** Writes a set of rows whole; $1 is their JSON. */
  readonly upsert: Statement;
  /** Deletes the rows of a list of ids, $1. */
  readonly remove: Statement;
  /** Answers the rows of a list of ids, $1, without what only the database needs of them. */
  readonly find: Statement;
  /** The same, each with the mark of its present state: another transaction that writes the row gives it another. */
  readonly findMarked: Statement;
  /**
   * For rows that are made of what was read. Each takes a set, $1 its JSON, and touches only what still is as it was
   * read: it has its `mark`, or is not there. How many that were says how many were touched.
   */
  readonly marked: { readonly insert: Statement; readonly replace: Statement; readonly remove: Statement };
  /** Of a set of rows, $1 their JSON, the ids of those that do not lie here just so, and whether they lie here at all. */
  readonly compare: Statement;
  /** Whose rows they are, where answers over the rows of one are kept; such a table is written by upserts alone. */
  readonly keptBy?: string;
  /** By the last part of their names: `newest` of `task_list` is `task_list_newest`. Migrations make them; see ADR 5. */
  readonly indexes: Readonly<Record<string, Index>>;
  readonly [rowType]?: Row;
};
type Index<Field extends string = string> = {
  readonly on: readonly Field[];
  /** Of these rows alone, as SQL. */
  readonly where?: string;
  readonly unique?: true;
};

/** Every row is found by its `id`: the aggregate's, or whatever a projection is kept by. */
export type KeyedColumns = { readonly id: Column<string> };

type TableOptions<Field extends string> = {
  readonly keptBy?: Field;
  readonly indexes?: Readonly<Record<string, Index<Field>>>;
};

/** Makes the statements of a table from its columns. Names are not escaped: they come from code alone. */
export const table = <C extends Columns & KeyedColumns>(
  name: string,
  columns: C,
  { keptBy, indexes = {} }: TableOptions<keyof C & string> = {},
): Table<RowOf<C>> => {
  const fields = Object.entries(columns);
  const names = fields.map(([field]) => snakeCase(field));
  const types = fields.map(([field, { type }]) => `"${field}" ${type}`);
  const updated = names.filter((column) => column !== '"id"').map((column) => `${column} = excluded.${column}`);
  const selected = fields
    .filter(([, column]) => !column.internal)
    .map(([field]) => `${snakeCase(field)} as "${field}"`)
    .join(', ');
  const values = fields.map(([field]) => `r."${field}"`).join(', ');
  const given = `json_to_recordset($1::json) r(${types.join(', ')})`;
  const ids = `any($1::${columns.id.type.split(' ', 1)[0]}[])`;
  const replaced = fields
    .filter(([field]) => field !== 'id')
    .map(([field]) => `${snakeCase(field)} = r."${field}"`)
    .join(', ');
  const asRead = `json_to_recordset($1::json) r(${[...types, 'mark text'].join(', ')})
       where t.id = r.id and t.xmin::text = r.mark`;
  return {
    name,
    columns,
    indexes,
    ...(keptBy && { keptBy }),
    selected,
    remove: statement(`${name}-remove`, `delete from ${name} where id = ${ids}`),
    find: statement(`${name}-find`, `select ${selected} from ${name} where id = ${ids}`),
    findMarked: statement(
      `${name}-find-marked`,
      `select xmin::text as mark, ${selected} from ${name} where id = ${ids}`,
    ),
    marked: {
      insert: statement(
        `${name}-insert`,
        `insert into ${name} (${names.join(', ')}) select ${values} from ${given} on conflict (id) do nothing`,
      ),
      replace: statement(`${name}-replace`, `update ${name} t set ${replaced} from ${asRead}`),
      remove: statement(`${name}-remove-marked`, `delete from ${name} t using ${asRead}`),
    },
    // The columns are named: with a generated or a newer column, `select *` would fail or write nulls over defaults.
    upsert: statement(
      `${name}-upsert`,
      `insert into ${name} (${names.join(', ')}) select ${values} from ${given}
       on conflict (id) do update set ${updated.join(', ')}`,
    ),
    compare: statement(
      `${name}-compare`,
      `select r.id, t.id is not null as "here" from ${given} left join ${name} t on t.id = r.id
       where (${names.map((column) => `t.${column}`).join(', ')}) is distinct from (${values})`,
    ),
  };
};

/** Quoted, so that a field may be called `order`. */
export const snakeCase = (field: string): string =>
  `"${field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}"`;
