/** What streams leave beside their events, made anew where it lags behind them. */
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { aggregate } from '../../src/platform/commit/aggregate.ts';
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

/** A note reserves its last word: `written` takes one, `extended` gives up one for another, told as `old new`. */
const lastWords = aggregate({
  ...notes,
  reservations: ({ data: { text } }) => {
    const [wanted = '', former] = String(text).split(' ').toReversed();
    const one = (value: string) => ({ scope: 'word', value });
    return {
      take: [{ ...one(wanted), otherwise: 'note-exists' as const }],
      release: former === undefined ? [] : [one(former)],
    };
  },
});

test('what a stream had given up is free again; who took it over has it, and what somebody else has stays theirs', async () => {
  const { database, commands } = bed.open();
  // In this order they are come to: each of the first two wants what the one after it gives up.
  const [late, later, first, alone, robbed] = upTo(5).map((n) => `00000000-0000-7000-8000-00000000000${n}`);
  const ids = [late, later, first, alone, robbed].map(String);
  const say = async (n: number, text: string, isNew = false) => {
    const command = isNew ? ({ type: 'Write', ownerId: 'ada', text } as const) : ({ type: 'Extend', text } as const);
    expect(await handle(commands, lastWords, String(ids[n]), command, context())).toMatchObject({ kind: 'done' });
  };
  const held = () => bed.sql<{ value: string; holder: string }>('select value, holder from reservation order by value');
  await say(0, 'ash', true);
  await say(1, 'birch', true);
  await say(2, 'cedar', true);
  await say(3, 'elm', true);
  await say(4, 'fir', true);
  const backup = await held();
  await say(2, 'cedar larch');
  await say(1, 'birch cedar');
  await say(0, 'ash birch');
  await say(3, 'elm oak');
  await say(3, 'oak elm');
  await say(3, 'elm pine');
  const before = await held();

  await bed.sql('truncate reservation');
  for (const { value, holder } of backup)
    await bed.sql(`insert into reservation values ('word', $1, $2)`, [value, holder]);
  await bed.sql(`update reservation set holder = 'somebody else' where value = 'fir'`);
  await bed.sql(`update note_list set version = 0 where id::text like '00000000-0000-7000-%'`);
  expect(await deriveAgain(database, commands, [inlineReadModel(lastWords)])).toEqual([{ id: robbed, scope: 'word' }]);
  expect(await held()).toEqual(before.map((one) => (one.value === 'fir' ? { ...one, holder: 'somebody else' } : one)));
  expect(
    await bed.sql(`select distinct version from note_list where id::text like '00000000-0000-7000-%' order by 1`),
  ).toEqual([{ version: 1 }, { version: 2 }, { version: 4 }]);
});
