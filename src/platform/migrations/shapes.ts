/** Tables as a catalogue describes them, and the SQL that makes those that are declared in code. */
import { snakeCase, type Table } from '../read-models/table.ts';
import { type Session, statement } from '../sql/database.ts';

/** Names are quoted where SQL needs it. */
export type ColumnShape = {
  readonly name: string;
  /** With its collation, where that is not the type's own. */
  readonly type: string;
  readonly nullable: boolean;
  readonly default: string | null;
};
export type IndexShape = {
  readonly name: string;
  readonly unique: boolean;
  /** `using btree (owner_id, due_at) where (due_at is not null)` */
  readonly on: string;
};
export type TableShape = {
  readonly name: string;
  readonly columns: readonly ColumnShape[];
  /** Those of constraints left out. */
  readonly indexes: readonly IndexShape[];
};

const SHAPES = statement(
  'migration-shapes',
  `select quote_ident(c.relname) as name,
     (select coalesce(json_agg(json_build_object('name', quote_ident(a.attname), 'nullable', not a.attnotnull,
        'type', format_type(a.atttypid, a.atttypmod) || case when a.attcollation not in (0, t.typcollation)
          then ' collate ' || quote_ident(l.collname) else '' end,
        'default', pg_get_expr(d.adbin, d.adrelid)) order by a.attnum), '[]')
      from pg_attribute a join pg_type t on t.oid = a.atttypid
        left join pg_collation l on l.oid = a.attcollation
        left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
      where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns,
     (select coalesce(json_agg(json_build_object('name', quote_ident(i.relname), 'unique', x.indisunique,
        'on', regexp_replace(pg_get_indexdef(i.oid), '^.*? USING ', 'using ')) order by i.relname), '[]')
      from pg_index x join pg_class i on i.oid = x.indexrelid
      where x.indrelid = c.oid and not exists (select from pg_constraint k where k.conindid = i.oid)) as indexes
   from pg_class c where c.relnamespace = to_regnamespace($1) and c.relkind = 'r' order by 1`,
);

/** The tables of a schema. */
export const shapesIn = async (session: Session, schema: string): Promise<readonly TableShape[]> =>
  (await session.query<TableShape>(SHAPES, [schema])).rows;

/** SQL that makes tables as they are declared. */
export const declaredSql = (tables: readonly Table<unknown>[]): string =>
  tables
    .flatMap(({ name, columns, indexes }) => {
      const lines = Object.entries(columns).map(([field, { type, nullable, default: fallback }]) => {
        const rest = `${nullable ? '' : ' not null'}${fallback === undefined ? '' : ` default ${fallback}`}`;
        return `${snakeCase(field)} ${type}${field === 'id' ? ' primary key' : rest}`;
      });
      const indexing = Object.entries(indexes).map(([part, { on, where, unique }]) => {
        const rows = where === undefined ? '' : ` where ${where}`;
        return `create ${unique ? 'unique ' : ''}index ${name}_${part} on ${name} (${on.map(snakeCase).join(', ')})${rows}`;
      });
      return [`create table ${name} (${lines.join(', ')})`, ...indexing];
    })
    .join(';\n');
