/**
 * What lacks between the tables that migrations make and those that are declared in code, as SQL that does it while an old
 * release still runs and tables are large: nothing is rewritten, no index is made while writers wait, nothing that the old
 * release writes is refused. What would lose data, and what nobody can write by a rule, is left to a person.
 */
import type { ColumnShape, IndexShape, TableShape } from './shapes.ts';

export type Difference = {
  /** In one transaction. */
  readonly together: readonly string[];
  /** Each in one of its own, and after those. */
  readonly alone: readonly string[];
  /** What is there and nobody declares: harmless, until somebody drops it. */
  readonly leftovers: readonly Leftover[];
  /** What no rule can decide, in words. */
  readonly undecided: readonly string[];
};
type Leftover = { readonly what: string; readonly drop: string; readonly alone?: true };

export const NOTHING: Difference = { together: [], alone: [], leftovers: [], undecided: [] };
const joined = (parts: readonly Partial<Difference>[]): Difference => ({
  together: parts.flatMap(({ together = [] }) => together),
  alone: parts.flatMap(({ alone = [] }) => alone),
  leftovers: parts.flatMap(({ leftovers = [] }) => leftovers),
  undecided: parts.flatMap(({ undecided = [] }) => undecided),
});

/** From what is there to what is declared. */
export const differenceOf = (there: readonly TableShape[], declared: readonly TableShape[]): Difference => {
  const wanted = new Set(declared.map(({ name }) => name));
  return joined([
    ...declared.map((table) => {
      const before = there.find(({ name }) => name === table.name);
      return before === undefined ? { together: creating(table) } : changing(before, table);
    }),
    ...there
      .filter(({ name }) => !wanted.has(name))
      .map(({ name }) => ({ leftovers: [{ what: `table ${name}`, drop: `drop table ${name}` }] })),
  ]);
};

const creating = ({ name, columns, indexes }: TableShape): readonly string[] => {
  const width = Math.max(...columns.map((column) => column.name.length));
  const lines = columns.map((column) => {
    const rest = column.name === 'id' ? ' primary key' : `${column.nullable ? '' : ' not null'}${defaultOf(column)}`;
    return `  ${column.name.padEnd(width)} ${column.type}${rest}`;
  });
  return [`create table ${name} (\n${lines.join(',\n')}\n)`, ...indexes.map((index) => indexing(name, index))];
};
const defaultOf = ({ default: value }: ColumnShape): string => (value === null ? '' : ` default ${value}`);

const changing = ({ name, columns, indexes }: TableShape, declared: TableShape): Difference =>
  joined([
    ...declared.columns.map((column) => {
      const before = columns.find((one) => one.name === column.name);
      return before === undefined ? adding(name, column) : altering(name, before, column);
    }),
    ...columns
      .filter((column) => !declared.columns.some((one) => one.name === column.name))
      .map((column) => leaving(name, column)),
    ...declared.indexes.map((index) => {
      const before = indexes.find((one) => one.name === index.name);
      return before === undefined ? { alone: making(name, index) } : replacing(name, before, index);
    }),
    ...indexes
      .filter((index) => !declared.indexes.some((one) => one.name === index.name))
      .map(({ name: index }) => ({
        leftovers: [
          { what: `index ${index}`, drop: `drop index concurrently if exists ${index}`, alone: true as const },
        ],
      })),
  ]);

const adding = (table: string, column: ColumnShape): Partial<Difference> =>
  column.nullable || column.default !== null
    ? {
        together: [
          `alter table ${table} add column ${column.name} ${column.type}${column.nullable ? '' : ' not null'}${defaultOf(column)}`,
        ],
      }
    : {
        undecided: [
          `${column.name} of ${table} must not be null and has no default: rows that are there, and those that the release before still writes, would have none. Declare defaulting(…) or orNull(…)`,
        ],
      };

const altering = (table: string, before: ColumnShape, after: ColumnShape): Partial<Difference> => {
  const column = after.name;
  const change = (what: string) => `alter table ${table} alter column ${column} ${what}`;
  if (before.type !== after.type) {
    return {
      undecided: [
        `${column} of ${table} is ${before.type} and shall be ${after.type}: that rewrites the table while nobody can read it. Declare a column of another name, which the next release fills, and drop this one with a later one; or, if the table is small everywhere, write it by hand: ${change(`type ${after.type}`)}`,
      ],
    };
  }
  const value = after.default === null ? change('drop default') : change(`set default ${after.default}`);
  return {
    together: [
      ...(before.default === after.default ? [] : [value]),
      ...(!before.nullable && after.nullable ? [change('drop not null')] : []),
    ],
    alone: before.nullable && !after.nullable ? requiring(table, column) : [],
  };
};

/** May be broken off and run again anywhere, as all that is run alone. */
const requiring = (table: string, column: string): readonly string[] => {
  const check = `${table}_${column.replaceAll('"', '')}_there`;
  return [
    `alter table ${table} drop constraint if exists ${check}`,
    `alter table ${table} add constraint ${check} check (${column} is not null) not valid`,
    `alter table ${table} validate constraint ${check}`,
    `alter table ${table} alter column ${column} set not null`,
    `alter table ${table} drop constraint ${check}`,
  ];
};

/** What nobody writes any more must not be asked for. */
const leaving = (table: string, column: ColumnShape): Partial<Difference> => ({
  together:
    column.nullable || column.default !== null
      ? []
      : [`alter table ${table} alter column ${column.name} drop not null`],
  leftovers: [{ what: `column ${column.name} of ${table}`, drop: `alter table ${table} drop column ${column.name}` }],
});

const indexing = (table: string, { name, unique, on }: IndexShape, how = '', as = name): string =>
  `create ${unique ? 'unique ' : ''}index ${how}${as} on ${table} ${on.replace(/^using btree /, '').replace(' WHERE ', ' where ')}`;
/** One that was broken off is there and of no use. */
const making = (table: string, index: IndexShape, as = index.name): readonly string[] => [
  `drop index concurrently if exists ${as}`,
  indexing(table, index, 'concurrently ', as),
];
const replacing = (table: string, before: IndexShape, after: IndexShape): Partial<Difference> => {
  if (before.on === after.on && before.unique === after.unique) return {};
  const next = `${after.name.replaceAll('"', '')}_next`;
  return {
    alone: [
      ...making(table, after, next),
      `drop index concurrently if exists ${after.name}`,
      `alter index ${next} rename to ${after.name}`,
    ],
  };
};

/** The same, with what nobody declares any more. */
export const withDrops = ({ together, alone, leftovers, ...rest }: Difference): Difference => ({
  ...rest,
  together: [...together, ...leftovers.flatMap((one) => (one.alone ? [] : [one.drop]))],
  alone: [...alone, ...leftovers.flatMap((one) => (one.alone ? [one.drop] : []))],
  leftovers: [],
});
