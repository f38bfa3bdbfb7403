import { describe, expect, test } from 'vitest';
import { hazardsIn } from './hazards.ts';
import { statementsIn } from './statements.ts';

const ALONE = '-- no transaction\n';
const rulesOf = (...files: readonly string[]) =>
  hazardsIn(files.map((sql, n) => ({ name: `00${n + 1}_file.sql`, sql }))).map(({ rule }) => rule);

describe('statements', () => {
  test('end at semicolons that are in no string, name, comment or body', () => {
    const sql = `-- why; and
      create table "a;b" (x text default 'c;''d', y text default E'e\\';f'); /* g;h */ do $do$ begin; end $do$;
      select $$;$$ -- the last; without one`;
    expect(statementsIn(sql).map(({ bare }) => bare)).toEqual([
      "create table a;b (x text default '', y text default '')",
      'do $$',
      'select $$',
    ]);
  });
  test('keep their words, and the comments above them apart', () => {
    const [first, second, ...more] = statementsIn('-- one\n-- two\nSelect  1;\nselect 2 -- three\n;\n');
    expect(first).toMatchObject({ text: 'Select  1', comments: ['one', 'two'] });
    expect(second).toMatchObject({ comments: ['three'] });
    expect(more).toEqual([]);
  });
});

describe('refused on a table that was there before', () => {
  test.each([
    ['alter table t alter column a type bigint', 'column-type'],
    ['ALTER TABLE ONLY shop.t ALTER a SET DATA TYPE text USING a::text', 'column-type'],
    ['alter table t add column a uuid default gen_random_uuid()', 'column-with-volatile-default'],
    [
      'alter table t add a timestamptz not null default clock_timestamp(), add b integer default 1',
      'column-with-volatile-default',
    ],
    ['alter table t add column a bigserial', 'column-that-is-computed'],
    ['alter table t add column a integer generated always as (b * 2) stored', 'column-that-is-computed'],
    ['alter table t add column a integer not null', 'column-without-a-value'],
    ['alter table t alter column a set not null', 'not-null'],
    ['alter table t add constraint c check (a > 0)', 'constraint-not-valid'],
    ['alter table t add foreign key (a) references u', 'constraint-not-valid'],
    ['alter table t add column a integer references u', 'constraint-not-valid'],
    [
      'alter table t add constraint c check (a > 0) not valid; alter table t validate constraint c',
      'validated-in-one-transaction',
    ],
    ['alter table t add primary key (a)', 'constraint-with-index'],
    ['alter table t add constraint c unique (a, b)', 'constraint-with-index'],
    ['alter table t add column a integer unique', 'constraint-with-index'],
    ['create index t_a on t (a)', 'index-not-concurrent'],
    ['create unique index on t (a)', 'index-not-concurrent'],
    ['drop index t_a', 'index-not-concurrent'],
    ['reindex table t', 'index-not-concurrent'],
    ['create index concurrently t_a on t (a)', 'concurrent-in-transaction'],
    ['drop index concurrently if exists t_a', 'concurrent-in-transaction'],
    ['vacuum full t', 'table-rewrite'],
    ['vacuum (verbose, full) t', 'table-rewrite'],
    ['cluster t using t_a', 'table-rewrite'],
    ['lock table t', 'table-rewrite'],
    ['alter table t set unlogged', 'table-rewrite'],
    ['update t set a = 1', 'long-write'],
    ['delete from t where a = 1', 'long-write'],
    ['insert into t (a, b) select a, b from u where b > 0', 'long-write'],
    ['insert into t overriding system value (select * from only shop.u)', 'long-write'],
    [
      'insert into t as x (a) with v as (select a from u) select a from v on conflict (a) do update set a = 1',
      'long-write',
    ],
    ['insert into t table u', 'long-write'],
    ['create table t as select a from u', 'long-write'],
    ['create unlogged table if not exists t (a, b) as (select a, b from u)', 'long-write'],
    ['with old as (select a from t limit 10) delete from t using old where t.a = old.a', 'long-write'],
    ['with changed as (update t set a = 1 returning a) select count(*) from changed', 'long-write'],
    ['with recursive v(a) as not materialized (select a from u) insert into t select a from v', 'long-write'],
    ['merge into t using u on t.a = u.a when matched then update set b = u.b', 'long-write'],
    ['alter table t rename column a to b', 'renaming'],
    ['alter table t rename to u', 'renaming'],
    ['do $$ begin alter table t add primary key (a); end $$', 'hidden-statement'],
    ['do $$ begin insert into t select a from u; end $$', 'hidden-statement'],
    ['commit', 'transaction-control'],
    // In a migration that somebody has not finished.
    ['-- TODO say which\nselect 1', 'unfinished'],
    ['-- TODO nothing else is here', 'unfinished'],
  ])('%s', (sql, rule) => {
    expect(rulesOf(sql)).toEqual([rule]);
    const [hazard] = hazardsIn([{ name: '001_file.sql', sql }]);
    expect(hazard?.why.length).toBeGreaterThan(20);
    expect(
      rulesOf(
        `-- allow ${rule}: everybody's has ten rows\n${sql}`.replace(
          '; alter',
          `;\n-- allow ${rule}: it has ten rows\nalter`,
        ),
      ),
    ).toEqual([]);
    expect(rulesOf(`-- allow ${rule}:\n${sql}`), 'without a reason').toEqual([rule]);
  });
});

describe('let through', () => {
  test.each([
    'alter table t add column a integer',
    'alter table t add column a text collate "C" not null default \'open\'',
    'alter table t add column a timestamptz not null default now()',
    'alter table t drop column a, alter column b drop not null, alter column c set default gen_random_uuid()',
    'alter table t add constraint c check (a > 0) not valid',
    'alter table t add constraint c foreign key (a) references u not valid',
    'alter table t add constraint c unique using index t_a',
    'drop table t',
    'create function f() returns trigger language plpgsql as $$ begin update t set a = 1; end $$',
    "insert into t (a) values ('vacuum full t; update t set a = 1')",
    'insert into t (a, b) values (1, (select max(b) from u)) on conflict (a) do update set b = excluded.b',
    'insert into t default values',
    "insert into t (a) select unnest(array['one', 'two'])",
    'insert into t (a) select n from generate_series(1, 9) as n where n is distinct from 3',
    'with n as (select a from u for update) select count(*) from n',
    'create view v as select a from t',
    'create table t (a integer, b integer generated always as (a * 2) stored)',
    'create table t (a integer references u on update cascade on delete cascade)',
  ])('%s', (sql) => expect(rulesOf(sql)).toEqual([]));

  test('whatever is done to a table that the same file makes', () => {
    const sql =
      'create table t (a integer); create index t_a on t (a); alter table t add primary key (a); update t set a = 1;';
    expect(rulesOf(sql)).toEqual([]);
    const fill =
      'create table t as select 1 as a; insert into t select a from t; with x as (delete from t) update t set a = 1;';
    expect(rulesOf(fill)).toEqual([]);
    expect(rulesOf('create table u (a integer);', sql.replace('create table t', 'create table v'))).not.toEqual([]);
  });
  test('an index made beside the writers, in a file without a transaction', () =>
    expect(rulesOf(`${ALONE}create index concurrently t_a on t (a);\ndrop index concurrently if exists t_b;`)).toEqual(
      [],
    ));
  test('not null, once a check of it was validated in a transaction of its own', () => {
    const add = 'alter table t add constraint a_there check (a is not null) not valid;';
    const validate = 'alter table t validate constraint a_there;';
    const set = 'alter table t alter column a set not null;';
    expect(rulesOf(add, validate + set)).toEqual([]);
    expect(rulesOf(ALONE + add + validate + set)).toEqual([]);
    expect(rulesOf(add, set), 'nobody validated it').toEqual(['not-null']);
    expect(rulesOf(add.replace('(a is', '(b is'), validate + set), 'it says so of another column').toEqual([
      'not-null',
    ]);
  });
});
