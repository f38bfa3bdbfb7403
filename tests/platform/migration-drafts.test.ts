/** Migrations that are written from declarations: what they say, and that they do it while others read and write. */
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import { compareTables } from '../../src/platform/migrations/compare.ts';
import { type Difference, withDrops } from '../../src/platform/migrations/difference.ts';
import { draftsOf, emptyDraft, nextNumber, writeDrafts } from '../../src/platform/migrations/draft.ts';
import { hazardsIn } from '../../src/platform/migrations/hazards.ts';
import { filesOf, migrate } from '../../src/platform/migrations/migrate.ts';
import {
  defaulting,
  instant,
  integer,
  json,
  orNull,
  smallint,
  type Table,
  table,
  text,
  uuid,
} from '../../src/platform/read-models/table.ts';
import type { DatabaseAddress } from '../../src/platform/sql/connection.ts';
import { until } from '../support/until.ts';

let root: string;
let folder: string;
let schema: string;
let databases: string[];
beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'taskwire-drafts-'));
  folder = path.join(root, 'shop', 'migrations');
  await mkdir(folder, { recursive: true });
  schema = `shop_${randomUUID().slice(0, 8)}`;
  databases = [];
});
afterEach(async () => {
  for (const database of databases) await sql(onServer(), `drop database if exists ${database} with (force)`);
  await sql(onServer(), `drop role if exists ${schema}`);
  await rm(root, { recursive: true, force: true });
});

const onServer = (): DatabaseAddress => ({ ...inject('server'), database: 'postgres' });
const fresh = (): DatabaseAddress => {
  const database = `drafted_${randomUUID().replaceAll('-', '')}`;
  databases.push(database);
  return { ...inject('server'), database };
};
const connected = async (address: DatabaseAddress) => {
  const client = new pg.Client({ ...address, options: `-c search_path=${schema}` });
  client.on('error', () => undefined); // its database is dropped under it
  await client.connect();
  return client;
};
const sql = async (address: DatabaseAddress, query: string) => {
  const client = await connected(address);
  return client.query(query).finally(() => client.end());
};

const columns = { id: uuid(), ownerId: uuid(), title: orNull(text()), createdAt: instant() };
const FIRST = `create table item (
  id         uuid primary key,
  owner_id   uuid not null,
  title      text collate "C",
  created_at timestamptz not null
);
create index item_newest on item (owner_id, created_at);
create table by_hand (x integer);`;
const NEWEST = { newest: { on: ['ownerId', 'createdAt'] as const } };

const compare = (tables: readonly Table<unknown>[]): Promise<Difference> =>
  compareTables({ schema, before: [], folder, tables, otherTables: ['by_hand'] }, fresh());
const draft = async (tables: readonly Table<unknown>[], drop = false) => {
  const found = await compare(tables);
  const drafts = draftsOf(drop ? withDrops(found) : found, {
    number: await nextNumber(folder),
    message: 'What is new',
  });
  await writeDrafts(folder, drafts);
  return { ...found, drafts };
};
const write = (name: string, content: string) => writeFile(path.join(folder, name), content);
const target = (address: DatabaseAddress) => ({ address, schema, folders: [folder] });
const leftTo = async (tables: readonly Table<unknown>[]) => {
  const { together, alone, undecided } = await compare(tables);
  return [...together, ...alone, ...undecided];
};
/** Without the lines that say what the file is for. */
const bodyOf = ({ sql: text }: { readonly sql: string }) =>
  text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('--'))
    .join('\n');

describe('what is declared and not there', () => {
  test('is nothing where both say the same, however they write it', async () => {
    await write(
      '001_shop.sql',
      FIRST.replace('timestamptz', 'timestamp with time zone').replace(
        'create index item_newest on item',
        'create index item_newest on item using btree',
      ),
    );
    expect(await draft([table('item', columns, { indexes: NEWEST })])).toMatchObject({
      drafts: [],
      leftovers: [],
      undecided: [],
    });
    expect(await readdir(folder)).toEqual(['001_shop.sql']);
  });

  test('is written as a table, with its indexes', async () => {
    await write('001_shop.sql', 'create table by_hand (x integer)');
    const tables = [
      table(
        'item',
        { ...columns, order: defaulting(smallint(), '0'), about: orNull(json()) },
        {
          indexes: { ...NEWEST, title: { on: ['title'], where: 'title is not null', unique: true } },
        },
      ),
    ];
    const { drafts } = await draft(tables);
    expect(drafts.map(({ name }) => name)).toEqual(['002_what_is_new.sql']);
    expect(drafts[0]?.sql).toBe(`-- What is new
create table item (
  id         uuid primary key,
  owner_id   uuid not null,
  title      text collate "C",
  created_at timestamp with time zone not null,
  "order"    smallint not null default 0,
  about      jsonb
);
create index item_newest on item (owner_id, created_at);
create unique index item_title on item (title) where (title IS NOT NULL);
`);
    expect(await leftTo(tables)).toEqual([]);
  });

  const ITEM = (more: object, options: object = { indexes: NEWEST }) => table('item', { ...columns, ...more }, options);
  test.each<[string, Table<unknown>, string]>([
    [
      'a column that may be null',
      ITEM({ dueAt: orNull(instant()) }),
      'alter table item add column due_at timestamp with time zone;',
    ],
    [
      'a column with a default',
      ITEM({ rank: defaulting(integer(), '7') }),
      'alter table item add column rank integer not null default 7;',
    ],
    [
      'a default',
      ITEM({ title: defaulting(orNull(text()), "'none'") }),
      `alter table item alter column title set default 'none'::text;`,
    ],
    [
      'no longer asking for a value',
      ITEM({ ownerId: orNull(uuid()) }),
      'alter table item alter column owner_id drop not null;',
    ],
    [
      'asking for a value',
      ITEM({ title: text() }),
      `alter table item drop constraint if exists item_title_there;
alter table item add constraint item_title_there check (title is not null) not valid;
alter table item validate constraint item_title_there;
alter table item alter column title set not null;
alter table item drop constraint item_title_there;`,
    ],
    [
      'an index',
      ITEM({}, { indexes: { ...NEWEST, title: { on: ['title'] } } }),
      `drop index concurrently if exists item_title;
create index concurrently item_title on item (title);`,
    ],
    [
      'another index of that name',
      ITEM({}, { indexes: { newest: { on: ['ownerId', 'createdAt', 'id'] } } }),
      `drop index concurrently if exists item_newest_next;
create index concurrently item_newest_next on item (owner_id, created_at, id);
drop index concurrently if exists item_newest;
alter index item_newest_next rename to item_newest;`,
    ],
  ])('is written for a table with rows: %s', async (_, declared, expected) => {
    await write('001_shop.sql', FIRST);
    const live = fresh();
    await migrate(target(live));
    await sql(live, `insert into item values (gen_random_uuid(), gen_random_uuid(), 'x', now())`);
    const { drafts } = await draft([declared]);
    expect(drafts.map(bodyOf)).toEqual([expected]);
    expect(hazardsIn(await filesOf({ folders: [folder] }))).toEqual([]);
    await migrate(target(live));
    expect(await leftTo([declared]), 'then there is nothing to do').toEqual([]);
    expect((await sql(live, 'select from item')).rowCount).toBe(1);
  });

  test('is in two files where some of it must be alone', async () => {
    await write('001_shop.sql', FIRST);
    const declared = ITEM({ rank: orNull(integer()) }, { indexes: { ...NEWEST, rank: { on: ['rank'] } } });
    const { drafts } = await draft([declared]);
    expect(drafts.map(({ name }) => name)).toEqual(['002_what_is_new.sql', '003_what_is_new_alone.sql']);
    expect(drafts[1]?.sql).toMatch(/^-- no transaction/);
    expect(await leftTo([declared])).toEqual([]);
  });

  test.each<[string, object, RegExp]>([
    [
      'another type',
      { ownerId: text() },
      /owner_id of item is uuid and shall be text collate "C": that rewrites the table/,
    ],
    ['a value that older rows have not', { rank: integer() }, /rank of item must not be null and has no default/],
  ])('is left to a person: %s', async (_, more, says) => {
    await write('001_shop.sql', FIRST);
    const { undecided, drafts } = await draft([ITEM(more)]);
    expect(undecided).toEqual([expect.stringMatching(says)]);
    expect(drafts).toEqual([]);
  });
});

describe('what is there and not declared', () => {
  const { title: _title, ownerId: _ownerId, ...fewer } = columns;
  test('stays, and is asked for by nobody, until somebody says that it is to be dropped', async () => {
    await write('001_shop.sql', `${FIRST}\ncreate table old (x integer)`);
    const declared = [table('item', fewer)];
    const kept = await draft(declared);
    expect(kept.drafts.map(bodyOf)).toEqual(['alter table item alter column owner_id drop not null;']);
    expect(kept.leftovers.map(({ what }) => what)).toEqual([
      'column owner_id of item',
      'column title of item',
      'index item_newest',
      'table old',
    ]);
    const dropped = await draft(declared, true);
    expect(dropped.drafts.map(bodyOf)).toEqual([
      'alter table item drop column owner_id;\nalter table item drop column title;\ndrop table old;',
      'drop index concurrently if exists item_newest;',
    ]);
    expect(hazardsIn(await filesOf({ folders: [folder] }))).toEqual([]);
    expect(await compare(declared)).toMatchObject({ together: [], alone: [], leftovers: [] });
    expect(
      (await sql({ ...inject('server'), database: databases.at(-1) ?? '' }, 'select from by_hand')).rowCount,
      'what is made by hand stays',
    ).toBe(0);
  });
});

describe('files', () => {
  test('are numbered on, and none is overwritten', async () => {
    await write('007_shop.sql', FIRST);
    const empty = emptyDraft({ number: await nextNumber(folder), message: 'Mend: what 0.3 broke!' });
    if (empty === undefined) throw new Error('no draft');
    expect(empty).toEqual({ name: '008_mend_what_0_3_broke.sql', sql: '-- Mend: what 0.3 broke!\n' });
    await writeDrafts(folder, [empty]);
    await expect(writeDrafts(folder, [empty])).rejects.toThrow('EEXIST');
    expect(await readFile(path.join(folder, empty.name), 'utf8')).toBe(empty.sql);
    expect(await migrate(target(fresh())), 'an empty one does nothing').toEqual([
      'shop/007_shop',
      'shop/008_mend_what_0_3_broke',
    ]);
  });
  test('need a name', () => expect(() => emptyDraft({ number: 1, message: '…' })).toThrow('needs a name'));
});

describe('a file without a transaction', () => {
  const INDEX =
    '-- no transaction\ndrop index concurrently if exists item_title;\ncreate index concurrently item_title on item (title);';

  test('is run by one of several processes, though the others wait for it', async () => {
    await write('001_shop.sql', FIRST);
    await write('002_index.sql', INDEX);
    const live = fresh();
    const applied = await Promise.all([1, 2, 3].map(() => migrate(target(live))));
    expect(applied.flat()).toEqual(['shop/001_shop', 'shop/002_index']);
  });

  test('is run again whole after it was broken off', async () => {
    await write(
      '001_shop.sql',
      `${FIRST} insert into item select gen_random_uuid(), gen_random_uuid(), 'twice', now() from generate_series(1, 2);`,
    );
    const live = fresh();
    await migrate(target(live));
    await write('002_index.sql', INDEX.replace('create index', 'create unique index'));
    await expect(migrate(target(live)), 'it finds two of the same').rejects.toThrow('002_index of');
    const broken = await sql(live, `select from pg_index where indexrelid = 'item_title'::regclass and not indisvalid`);
    expect(broken.rowCount, 'and left an index that is of no use').toBe(1);
    await sql(live, 'delete from item');
    expect(await migrate(target(live))).toEqual(['shop/002_index']);
    expect(
      (await sql(live, `select from pg_index where indexrelid = 'item_title'::regclass and indisvalid`)).rowCount,
    ).toBe(1);
  });
});

test('a migration that does not get its table lets others use it, and gets it later', async () => {
  await write('001_shop.sql', FIRST);
  const live = fresh();
  await migrate(target(live));
  await write('002_column.sql', 'alter table item add column rank integer');
  const writer = await connected(live);
  await writer.query('begin; lock table item in row exclusive mode');
  const migrated = migrate(target(live));
  const waiting = `select from pg_stat_activity where wait_event_type = 'Lock' and query like '%add column rank%' and datname = '${live.database}'`;
  await until('it to wait', async () => (await sql(live, waiting)).rowCount === 1);
  // Behind it: in a queue without an end, this would be answered when the writer ends.
  expect((await sql(live, 'select from item')).rowCount).toBe(0);
  await writer.query('commit');
  await writer.end();
  expect(await migrated).toEqual(['shop/002_column']);
});

test('permission to do something may be given after it was done, and nothing else may change', async () => {
  await write('001_shop.sql', FIRST);
  const live = fresh();
  await migrate(target(live));
  await write(
    '001_shop.sql',
    FIRST.replace('create index', '-- allow index-not-concurrent: nobody had a row\ncreate index'),
  );
  expect(await migrate(target(live))).toEqual([]);
  await write('001_shop.sql', FIRST.replace('create index', '-- another comment\ncreate index'));
  await expect(migrate(target(live))).rejects.toThrow('were changed since');
});
