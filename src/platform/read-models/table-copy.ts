/**
 * A second table that is what a first one is (columns, constraints, indexes, owner, rights) but for its name and its
 * rows, and that takes its place. What PostgreSQL's `like` does not copy is copied here or refused.
 */
import { isDeepStrictEqual } from 'node:util';
import { type Session, statement } from '../sql/database.ts';

type Index = {
  readonly name: string;
  readonly unique: boolean;
  readonly constraint: string | null;
  readonly on: string;
};
/** A table as the catalogue describes it, without the names that must differ between two tables. */
export type TableShape = {
  readonly owner: string;
  readonly options: string | null;
  readonly columns: unknown;
  readonly constraints: unknown;
  readonly grants: readonly { readonly privilege: string; readonly to: string; readonly grantable: boolean }[];
  /** The one of the primary key first. */
  readonly indexes: readonly Index[];
  /** What a copy would lose. */
  readonly lost: readonly string[];
};

const SHAPE = statement(
  'table-shape',
  `select json_build_object(
     'owner', quote_ident(pg_get_userbyid(c.relowner)),
     'options', array_to_string(c.reloptions, ', '),
     'columns', (
       select json_agg(json_build_array(a.attname, format_type(a.atttypid, a.atttypmod), a.attcollation, a.attnotnull,
         a.attidentity, a.attgenerated, a.attstorage, a.attcompression, pg_get_expr(d.adbin, d.adrelid)) order by a.attnum)
       from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
       where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
     'constraints', (
       select json_agg(json_build_array(conname, pg_get_constraintdef(oid), convalidated) order by conname)
       from pg_constraint where conrelid = c.oid and contype in ('c', 'n')),
     'grants', (
       select coalesce(json_agg(json_build_object('privilege', privilege_type, 'grantable', is_grantable,
         'to', case grantee when 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end) order by grantee, privilege_type), '[]')
       from aclexplode(c.relacl) where grantee <> c.relowner),
     'indexes', (
       select coalesce(json_agg(json_build_object('name', quote_ident(i.relname), 'unique', x.indisunique,
         'constraint', case k.contype when 'p' then 'primary key' when 'u' then 'unique' end,
         'on', regexp_replace(pg_get_indexdef(i.oid), '^.*? USING ', 'using ')) order by x.indisprimary desc, i.relname), '[]')
       from pg_index x join pg_class i on i.oid = x.indexrelid left join pg_constraint k on k.conindid = i.oid
       where x.indrelid = c.oid),
     'lost', (
       select coalesce(json_agg(what), '[]') from (
         select 'trigger ' || tgname from pg_trigger where tgrelid = c.oid and not tgisinternal
         union all select 'constraint ' || conname from pg_constraint
           where (conrelid = c.oid or confrelid = c.oid) and (contype not in ('c', 'n', 'p', 'u') or condeferrable)
         union all select 'policy ' || polname from pg_policy where polrelid = c.oid
         union all select 'view ' || r.ev_class::regclass from pg_depend d join pg_rewrite r on r.oid = d.objid
           where d.classid = 'pg_rewrite'::regclass and d.refobjid = c.oid
         union all select 'rights on column ' || attname from pg_attribute where attrelid = c.oid and attacl is not null
       ) lost(what))
   ) as shape from pg_class c where c.oid = to_regclass($1)`,
);

/** As the database knows the table, not as our columns declare it. Throws where there is none of that name. */
export const shapeOf = async (session: Session, name: string): Promise<TableShape> => {
  const { rows } = await session.query<{ shape: TableShape }>(SHAPE, [name]);
  if (rows[0] === undefined) throw new Error(`there is no table ${name} here`);
  return rows[0].shape;
};

/** Makes the copy, empty, with its primary key. Throws when the table has something that a copy would lose. */
export const createCopy = async (session: Session, name: string, copy: string, shape: TableShape): Promise<void> => {
  if (shape.lost.length > 0) throw new Error(`a new ${name} would lose what the old one has: ${shape.lost.join(', ')}`);
  const options = shape.options === null ? '' : ` with (${shape.options})`;
  const statements = [
    `create table ${copy} (like ${name} including all excluding indexes)${options}`,
    ...shape.grants.map(
      ({ privilege, to, grantable }) =>
        `grant ${privilege} on ${copy} to ${to}${grantable ? ' with grant option' : ''}`,
    ),
    `alter table ${copy} owner to ${shape.owner}`,
    ...shape.indexes.flatMap((index, n) => (index.constraint === 'primary key' ? indexing(copy, index, n) : [])),
  ];
  await session.query(statements.join(';\n')); // one query, and so one transaction
};

/** The other indexes, concurrently: to build one in a transaction of its own would hold up every feed meanwhile. */
export const indexCopy = async (session: Session, copy: string, shape: TableShape): Promise<void> => {
  for (const [n, index] of shape.indexes.entries()) {
    if (index.constraint === 'primary key') continue;
    for (const text of indexing(copy, index, n, 'concurrently ')) await session.query(text);
  }
  await session.query(`analyze ${copy}`); // of a table that it knows nothing of, the planner expects the wrong thing
};

const indexing = (copy: string, { unique, constraint, on }: Index, n: number, how = ''): readonly string[] => {
  const name = `${copy}_${n}`;
  const adding = `alter table ${copy} add ${constraint} using index ${name}`;
  return [
    `create ${unique ? 'unique ' : ''}index ${how}${name} on ${copy} ${on}`,
    ...(constraint === null ? [] : [adding]),
  ];
};

/** The copy takes the place of the table, which is gone, and its indexes the names of the old ones. */
export const replaceByCopy = async (session: Session, name: string, copy: string, shape: TableShape): Promise<void> => {
  const statements = [
    `drop table ${name}`,
    `alter table ${copy} rename to ${name}`,
    ...shape.indexes.map((index, n) => `alter index ${copy}_${n} rename to ${index.name}`),
  ];
  await session.query(statements.join(';\n'));
};

/** Whether two tables are alike but for their names and those of their indexes. */
export const alike = (one: TableShape, other: TableShape): boolean => isDeepStrictEqual(nameless(one), nameless(other));
const nameless = ({ indexes, ...rest }: TableShape): unknown => ({
  ...rest,
  indexes: indexes.map(({ name, ...index }) => JSON.stringify(index)).sort(),
});
