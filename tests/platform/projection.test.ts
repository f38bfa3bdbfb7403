import { beforeAll, describe, expect, test } from 'vitest';
import { NO_EFFECTS } from '../../src/platform/event-bus/consumer.ts';
import type { Delivered } from '../../src/platform/event-bus/delivery.ts';
import type { ServiceKit } from '../../src/platform/lifecycle/service-kit.ts';
import { loadRows, type Projection } from '../../src/platform/read-models/projection.ts';
import { integer, type RowOf, table, text } from '../../src/platform/read-models/table.ts';
import { testBed, upTo } from './bed.ts';
import { SCHEMA } from './notes.ts';

/** How often a word was said, whoever said it: a row that events of any lane or source may touch. Nought is no row. */
const columns = { id: text(), count: integer() };
type Count = RowOf<typeof columns>;
type Said = { readonly type: 'said'; readonly data: { readonly word: string; readonly by: number } };
const counts: Projection<Count, Said> = {
  table: table('word_count', columns),
  ids: ({ data }) => [data.word],
  on: {
    said: (row, { data }, _about, id) => {
      const count = (row?.count ?? 0) + data.by;
      return count === 0 ? undefined : { ...row, id, count };
    },
  },
};

const bed = testBed();
beforeAll(() =>
  bed.sql(`create table ${SCHEMA}.word_count (id text collate "C" primary key, count integer not null);
    grant select, insert, update, delete on ${SCHEMA}.word_count to ${SCHEMA}`),
);

const said = (word: string, by = 1): Delivered => ({
  id: word,
  topic: 'words',
  key: word,
  recordedAt: '',
  event: { type: 'said', data: { word, by } },
  meta: { streamId: word, version: 1, occurredAt: '', actor: '' },
  metadata: { correlationId: '', causationId: '', actor: '', requestId: '', occurredAt: '' },
});
/** Loads and folds; answers what commits it. */
const folded = async ({ database, commands }: ServiceKit, ...events: readonly Delivered[]) => {
  const rows = await loadRows(database, counts, events);
  for (const event of events) rows.apply(event);
  return async () => {
    const commit = { ...NO_EFFECTS, writes: rows.changed(), idempotency: undefined };
    return (await commands.executor.commit(commit)).verdict;
  };
};
const countOf = async (word: string) =>
  (await bed.sql<Count>('select * from word_count where id = $1', [word]))[0]?.count;

describe('what was folded from rows as they were loaded', () => {
  test('is written: new rows, changed ones, and gone ones', async () => {
    const kit = bed.open();
    const write = await folded(kit, said('new'), said('more'), said('more'), said('never', 0));
    expect(await write()).toBe('accepted');
    const again = await folded(kit, said('more'), said('new', -1), said('never', 2), said('never', -2));
    expect(await again()).toBe('accepted');
    expect([await countOf('new'), await countOf('more'), await countOf('never')]).toEqual([undefined, 3, undefined]);
  });

  test.each<{ readonly how: string; readonly before: readonly number[]; readonly meanwhile: readonly number[] }>([
    { how: 'appeared', before: [], meanwhile: [1] },
    { how: 'changed', before: [1], meanwhile: [1] },
    { how: 'went', before: [1], meanwhile: [-1] },
    { how: 'went and came back as it was', before: [1], meanwhile: [-1, 1] },
  ])('is not, where a row $how meanwhile: nothing of it happens', async ({ how, before, meanwhile }) => {
    const [one, other] = [bed.open(), bed.open()];
    for (const by of before) await (await folded(one, said(how, by)))();
    const write = await folded(one, said(how), said(`beside: ${how}`));
    for (const by of meanwhile) expect(await (await folded(other, said(how, by)))()).toBe('accepted');
    const count = await countOf(how);
    expect(await write()).toBe('missed');
    expect([await countOf(how), await countOf(`beside: ${how}`)]).toEqual([count, undefined]);
  });

  test('40 at once, in two processes: each counts once', async () => {
    const kits = [bed.open(), bed.open()];
    const handle = async (kit: ServiceKit): Promise<void> => {
      while ((await (await folded(kit, said('often')))()) !== 'accepted');
    };
    await Promise.all(upTo(20).flatMap(() => kits.map(handle)));
    expect(await countOf('often')).toBe(40);
  });
});
