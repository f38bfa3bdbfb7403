/** How each hazard of a migration is recognised. Beside the rule stands what it does, and the way without it. */
import { partsOf, type SqlStatement } from './statements.ts';

/** What is known where a statement stands. */
export type Memory = {
  /** Each statement of this file is a transaction of its own. */
  readonly alone: boolean;
  /** Tables that this file has made, and constraints that it has added, those by `table.name`. */
  readonly made: Set<string>;
  readonly added: Set<string>;
  /** Checks that a column is not null, by `table.name`: the column; and columns for which one was validated. */
  readonly checks: Map<string, string>;
  readonly filled: Set<string>;
};

const RULES = {
  'column-type':
    'rewrites the table and its indexes while nobody can read it. Add a column of another name, let it be filled, and drop the old one a release later',
  'column-with-volatile-default':
    'rewrites the table, for each row gets a value of its own. Add the column without it, then `alter column … set default`, and fill the rows in batches',
  'column-that-is-computed':
    'rewrites the table, for each row is computed at once. Add a plain column, and write it where the row is folded',
  'column-without-a-value':
    'fails where there are rows, and for the release that still runs. Give it a default, or let it be null',
  'not-null':
    'reads the whole table while nobody can use it. First `add constraint … check (… is not null) not valid`, and `validate constraint` in a transaction of its own',
  'constraint-not-valid':
    'reads the whole table while nobody can write it. Add it `not valid`, and `validate constraint` in a transaction of its own',
  'validated-in-one-transaction':
    'reads the whole table while the lock of its `add constraint` is held. Validate it in a later file, or begin the file with `-- no transaction`',
  'constraint-with-index':
    'makes an index while nobody can use the table. `create unique index concurrently` first, then `add constraint … using index`',
  'index-not-concurrent':
    'keeps writers out, and holds every feed of the server back, until it is done. Say `concurrently`, in a file that begins with `-- no transaction`',
  'concurrent-in-transaction': 'cannot be in a transaction. Begin the file with `-- no transaction`',
  'table-rewrite':
    'writes or locks the whole table while nobody can use it. Make a new one beside it, as `taskwire projections rebuild` does',
  'long-write':
    'is one transaction over many rows, which holds every feed of the server back. Write in batches, each with a commit of its own',
  renaming:
    'breaks the release that still runs, which says the old name. Add the new one, and drop the old one a release later',
  'hidden-statement': 'hides in a `do` block from being looked at. Write it by itself',
  'transaction-control': 'ends the transaction in which all of the file happens, or none of it. Leave it out',
  // Nothing is left undone here: this mark is looked for in the files of others.
  unfinished: 'says TODO: something was left to be decided',
} as const;
type RuleName = keyof typeof RULES;

/** The rules that a statement breaks, each with its words. */
export const brokenBy = (statement: SqlStatement, memory: Memory): readonly (readonly [RuleName, string])[] =>
  [...new Set([...ofWords(statement), ...ofIndexes(statement, memory), ...ofTable(statement, memory)])].map((rule) => [
    rule,
    RULES[rule],
  ]);

/** What is seen without knowing what it is about. */
const ofWords = ({ bare, comments, bodies }: SqlStatement): readonly RuleName[] => [
  ...when(
    comments.some((line) => /\bTODO\b/.test(line)), // in a migration, not here
    'unfinished',
  ),
  ...when(/^(begin|start transaction|commit|end|rollback|abort)\b/.test(bare), 'transaction-control'),
  ...when(
    /^(vacuum (\([^)]*\bfull\b|full)|cluster|lock|refresh materialized view (?!concurrently))/.test(bare),
    'table-rewrite',
  ),
  ...when(
    bare.startsWith('do ') &&
      bodies.some((body) => /\b(alter\s+table|create\s+(unique\s+)?index|update|delete|insert|merge)\b/i.test(body)),
    'hidden-statement',
  ),
];

const INDEX = /^create (?:unique )?index (concurrently )?(?:if not exists )?(?:[\w.]+ )?on (?:only )?([\w.]+)/;
const ofIndexes = ({ bare }: SqlStatement, { alone, made }: Memory): readonly RuleName[] => {
  const [, concurrently, table] = INDEX.exec(bare) ?? [];
  const dropped =
    /^(?:drop index|reindex (?:\([^)]*\) )?(?:index|table|schema|database|system))\b( concurrently)?/.exec(bare);
  if (table === undefined && !dropped) return [];
  if (concurrently !== undefined || dropped?.[1]) return alone ? [] : ['concurrent-in-transaction'];
  return table !== undefined && made.has(table) ? [] : ['index-not-concurrent'];
};

const WRITES = /^(with|update|delete|insert|merge|create (unlogged )?table)\b/;
const NO_TABLE = /\bfor (no key )?update\b|\bdo update set\b|\bdistinct from\b|\bon update\b/g;
const WRITTEN = /\b(?:update|delete from|merge into) (?:only )?([\w.]+)/g;
/** Rows that are made of rows: `insert … select`, `create table … as`. */
const FILLED =
  /\binsert into [\w.]+ (as \w+ )?(\([^)]*\) )?(overriding \w+ value )?\(*(select|with|table)\b|^create [\w.]+ .*\bas \(*(select|with|table)\b/;
const READ = /\b(?:from|join|table) (?:only |lateral )*([a-z_][\w.]*)(?! ?\(|[\w.])/g;
const NAMED = /(?:^with (?:recursive )?|, )(\w+) (?:\([^)]*\) )?as (?:(?:not )?materialized )?\(/g;
/** Whether it writes to, or out of, a table that was there before: as many rows as that has. */
const writesMany = (bare: string, made: ReadonlySet<string>): boolean => {
  if (!WRITES.test(bare)) return false;
  const words = bare.replaceAll(NO_TABLE, '');
  const of = (pattern: RegExp) => [...words.matchAll(pattern)].map(([, name = '']) => name);
  const here = new Set([...made, ...of(NAMED)]);
  const read = FILLED.test(words) ? of(READ).filter((name) => name !== createdBy(bare)) : [];
  return [...of(WRITTEN), ...read].some((table) => !here.has(table));
};

const CREATED = /^create (?:unlogged )?table (?:if not exists )?([\w.]+)/;
const createdBy = (bare: string): string | undefined => CREATED.exec(bare)?.[1];

const ofTable = ({ bare }: SqlStatement, memory: Memory): readonly RuleName[] => {
  if (writesMany(bare, memory.made)) return ['long-write'];
  const { table, actions } = altered(bare);
  if (table === undefined || memory.made.has(table))
    return /^alter (?!index )\w+ [\w.]+ rename /.test(bare) && table === undefined ? ['renaming'] : [];
  return actions.flatMap((action) => [
    ...ofColumn(table, action, memory),
    ...ofConstraint(table, action, memory),
    ...ofWhole(action),
  ]);
};

const ALTER = /^alter table (?:if exists )?(?:only )?([\w.]+) (.*)$/;
const altered = (bare: string): { readonly table?: string; readonly actions: readonly string[] } => {
  const [, table, actions = ''] = ALTER.exec(bare) ?? [];
  return table === undefined ? { actions: [] } : { table, actions: partsOf(actions) };
};

/** Functions that give every row of a statement the same value, so that a default of them is kept once, not in each row. */
const STABLE =
  /\b(now|current_timestamp|transaction_timestamp|statement_timestamp|current_date|current_setting|to_timestamp|make_\w+|jsonb?_build_\w+|array)\s*\(/g;
const NO_COLUMN = /^add (constraint|primary key|unique|foreign key|check|exclude)\b/;
const ofColumn = (table: string, action: string, { filled }: Memory): readonly RuleName[] => {
  const [, column, toType, toNotNull] =
    /^alter (?:column )?(\w+) (?:(?:set data )?(type )|(set not null)|.*)/.exec(action) ?? [];
  if (toType) return ['column-type'];
  if (toNotNull) return filled.has(`${table}.${column}`) ? [] : ['not-null'];
  if (!action.startsWith('add ') || NO_COLUMN.test(action)) return [];
  const value = / default (.*?)(?= not null| null| unique| primary key| references| check| constraint|$)/.exec(
    action,
  )?.[1];
  return [
    ...when(value !== undefined && /\w\s*\(/.test(value.replaceAll(STABLE, '')), 'column-with-volatile-default'),
    ...when(
      / generated (always|by default) as (identity|\(.*\) stored)| (small|big)?serial\b/.test(action),
      'column-that-is-computed',
    ),
    ...when(
      / not null\b/.test(action) && value === undefined && !/ generated |serial\b/.test(action),
      'column-without-a-value',
    ),
    ...when(/ (unique|primary key)\b/.test(action), 'constraint-with-index'),
    ...when(/ (references|check)\b/.test(action), 'constraint-not-valid'),
  ];
};

const ofConstraint = (table: string, action: string, { added, alone }: Memory): readonly RuleName[] => {
  const validated = /^validate constraint (\w+)/.exec(action)?.[1];
  if (validated !== undefined)
    return when(!alone && added.has(`${table}.${validated}`), 'validated-in-one-transaction');
  const kind = /^add (?:constraint \w+ )?(primary key|unique|exclude|foreign key|check)\b/.exec(action)?.[1];
  if (kind === undefined) return [];
  if (kind === 'foreign key' || kind === 'check') return when(!/ not valid$/.test(action), 'constraint-not-valid');
  return when(!/ using index \w+/.test(action), 'constraint-with-index');
};

const ofWhole = (action: string): readonly RuleName[] => [
  ...when(/^(set (logged|unlogged|tablespace|access method)|cluster on)\b/.test(action), 'table-rewrite'),
  ...when(/^rename\b/.test(action), 'renaming'),
];

/** What a statement makes true for those after it. */
export const remember = ({ bare }: SqlStatement, { made, added, checks, filled }: Memory): void => {
  const created = createdBy(bare);
  if (created !== undefined) made.add(created);
  const { table, actions } = altered(bare);
  for (const action of actions) {
    const [, name, column] = /^add constraint (\w+)(?: check \((\w+) is not null\))?/.exec(action) ?? [];
    if (name !== undefined) added.add(`${table}.${name}`);
    if (name !== undefined && column !== undefined) checks.set(`${table}.${name}`, `${table}.${column}`);
    const proven = checks.get(`${table}.${/^validate constraint (\w+)/.exec(action)?.[1]}`);
    if (proven !== undefined) filled.add(proven);
  }
};

const when = (broken: boolean, rule: RuleName): readonly RuleName[] => (broken ? [rule] : []);
