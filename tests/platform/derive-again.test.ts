/** What streams leave beside their events, made anew where it lags behind them. */
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { handle } from '../../src/platform/commit/command-handler.ts';
import { deriveAgain } from '../../src/platform/read-models/derive-again.ts';
import { inlineReadModel } from '../../src/platform/read-models/inline.ts';
import type { Database } from '../../src/platform/sql/database.ts';
import { testBed, upTo } from './bed.ts';
import { context, notes } from './notes.ts';

const bed = testBed();
const rows = () => bed.sql('select id, version, text, length from note_list order by id');

test('of however many streams, and no statement is about more than 500 of them', async () => {
  const { database, commands } = bed.open();
  const ids = upTo(1_100).map(() => randomUUID());
  const write = (id: string) =>
    handle(commands, notes, id, { type: 'Write', ownerId: 'ada', text: id.slice(0, 8) }, context());
  for (let from = 0; from < ids.length; from += 100) await Promise.all(ids.slice(from, from + 100).map(write));
  const before = await rows();
  expect(before).toHaveLength(1_100);
  await bed.sql(`delete from note_list where id::text < '1'`);
  await bed.sql(`update note_list set version = 0, text = 'of an earlier moment' where id::text > 'f'`);

  let largest = 0;
  const watched: Database = {
    ...database,
    read: async <Row>(...asked: Parameters<Database['read']>): Promise<readonly Row[]> => {
      const found = await database.read<Row>(...asked);
      largest = Math.max(largest, found.length);
      return found;
    },
  };
  expect(await deriveAgain(watched, commands, [inlineReadModel(notes)])).toEqual([]);
  expect(await rows()).toEqual(before);
  expect(largest).toBe(500);
});
