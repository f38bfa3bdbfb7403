import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import {
  instant,
  integer,
  json,
  orNull,
  type RowOf,
  smallint,
  table,
  text,
  uuid,
} from '../../src/platform/read-models/table.ts';
import { statement } from '../../src/platform/sql/database.ts';
import { testBed } from './bed.ts';
import { SCHEMA } from './notes.ts';

const columns = {
  id: uuid(),
  version: integer(),
  order: integer(),
  titleKey: text(),
  maybeText: orNull(text()),
  rank: smallint(),
  createdAt: instant(),
  dueAt: orNull(instant()),
  due: orNull(json<unknown>()),
};
const thing = table('thing_list', columns);
type Thing = RowOf<typeof columns>;
const BY_ID = statement('test-things', `select ${thing.selected} from thing_list where id = any($1) order by id`);

const bed = testBed();
beforeAll(() =>
  bed.sql(`create table ${SCHEMA}.thing_list (
    id uuid primary key, version integer not null, "order" integer not null, title_key text collate "C" not null,
    maybe_text text collate "C", rank smallint not null, created_at timestamptz not null, due_at timestamptz, due jsonb,
    seen_at timestamptz default now(), generated text generated always as (title_key || '!') stored);
    grant select, insert, update on ${SCHEMA}.thing_list to ${SCHEMA}`),
);
const writeAndRead = async (rows: readonly Thing[]): Promise<readonly Thing[]> => {
  const { database } = bed.open();
  await database.write(thing.upsert, [JSON.stringify(rows)]);
  return database.read<Thing>(BY_ID, [rows.map(({ id }) => id)]);
};

const words = fc.string({ unit: 'grapheme', maxLength: 40 });
const moment = fc
  .date({ min: new Date('1970-01-01'), max: new Date('2100-01-01'), noInvalidDate: true })
  .map((date) => date.toISOString());
const rows: fc.Arbitrary<Thing> = fc.record({
  id: fc.uuid(),
  version: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
  order: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  titleKey: words,
  maybeText: fc.option(words),
  rank: fc.integer({ min: -(2 ** 15), max: 2 ** 15 - 1 }),
  createdAt: moment,
  dueAt: fc.option(moment),
  due: fc.option(fc.oneof(fc.record({ at: moment, note: fc.option(words) }), fc.array(words), words, fc.boolean())),
});

test('a row of any content is read as it was written, alone or among others', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(rows, { selector: ({ id }) => id, minLength: 1, maxLength: 30 }), async (set) => {
      const sorted = set.toSorted((a, b) => (a.id < b.id ? -1 : 1));
      expect(await writeAndRead(set)).toEqual(sorted);
    }),
    { numRuns: 25 },
  );
});

test('what is hard to write in SQL or JSON comes back', async () => {
  const row: Thing = {
    id: randomUUID(),
    version: 1,
    order: 0,
    rank: -1,
    titleKey: `'; drop table event; -- "quoted" \\ back \n new \t tab \u2028 🙂 𝒳 e\u0301 {$sealed}`,
    maybeText: 'null',
    createdAt: '2026-11-24T09:00:00.120Z',
    dueAt: '2026-02-28T23:59:59.999Z',
    due: { at: 'x', nested: [{ deep: null }, 1e21, 0.1, ''], 'key "q"': true },
  };
  expect(await writeAndRead([row])).toEqual([row]);
});

test('a second write replaces the row whole, nulls too, and leaves alone what is not declared', async () => {
  const row: Thing = {
    id: randomUUID(),
    version: 1,
    order: 1,
    titleKey: 'a',
    maybeText: 'b',
    rank: 1,
    createdAt: '2026-11-24T09:00:00.000Z',
    dueAt: '2026-11-25T09:00:00.000Z',
    due: { a: 1 },
  };
  await writeAndRead([row]);
  await bed.sql(`update thing_list set seen_at = '2000-01-01Z' where id = $1`, [row.id]);
  const after: Thing = { ...row, version: 2, titleKey: 'z', maybeText: null, dueAt: null, due: null };
  expect(await writeAndRead([after])).toEqual([after]);
  const [beside] = await bed.sql('select seen_at::date::text as seen, generated from thing_list where id = $1', [
    row.id,
  ]);
  expect(beside).toMatchObject({ generated: 'z!', seen: expect.stringMatching(/^(2000-01-01|1999-12-31)$/) });
});
