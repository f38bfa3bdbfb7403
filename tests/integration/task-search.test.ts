/** What q finds, whatever is typed into it; and when a task is overdue, whatever the clocks do. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';

let product: TestApp;
let ada: Awaited<ReturnType<TestApp['person']>>;
beforeAll(async () => {
  product = await startTestApp();
  ada = await product.person();
});
afterAll(() => product.close());

describe('q', () => {
  const TASKS: Record<string, string | null> = {
    'MÜLL rausbringen': null,
    'Straße fegen': 'vor dem Haus, bei Nummer 12',
    'Cafe\u0301 buchen': null,
    買い物リストを作る: '牛乳と卵',
    'हिन्दी सीखना': null,
    'Call +49-30-1234 about foo_bar': 'see https://example.org/path?x=1 or mail bob@example.org',
    'Pay 3.14% of 1,000 by 2026-11-24': null,
    "Robert'); drop table task_list; --": 'select * from event',
    '100% done': 'a\\b',
    ΟΔΟΣ: 'İstanbul',
  };
  beforeAll(async () => {
    for (const [title, description] of Object.entries(TASKS)) {
      expect((await ada.ask('POST', '/api/v1/tasks', { body: { title, description } })).status).toBe(201);
    }
  });
  const find = async (q: string) => {
    const { status, body } = await ada.ask('GET', `/api/v1/tasks?count=true&q=${encodeURIComponent(q)}`);
    expect(status).toBe(200);
    expect(body.totalCount).toBe(body.items.length);
    return body.items.map(({ title }: { title: string }) => title.slice(0, 4));
  };

  test.each<[q: string, found: string]>([
    ['müll', 'MÜLL'],
    ['Mu\u0308ll', 'MÜLL'],
    ['MULL', 'MÜLL'],
    ['raus', 'MÜLL'],
    ['rausbringen müll', 'MÜLL'],
    ['straße', 'Stra'],
    ['haus 12', 'Stra'],
    ['café', 'Cafe'],
    ['買い', '買い物リ'],
    ['牛乳', '買い物リ'],
    ['हिन्दी', 'हिन्'],
    ['सीख', 'हिन्'],
    ['foo_bar', 'Call'],
    ['+49-30', 'Call'],
    ['example.org', 'Call'],
    ['bob@example.org', 'Call'],
    ['https://example.org/path?x=1', 'Call'],
    ['3.14', 'Pay '],
    ['1,000', 'Pay '],
    ['2026-11', 'Pay '],
    ["Robert');", 'Robe'],
    ["'; drop table task_list", 'Robe'],
    ['100%', '100%'],
    ['a\\b done', '100%'],
    ['οδος', 'ΟΔΟΣ'],
  ])('%s finds %s, and nothing else', async (q, found) => expect(await find(q)).toEqual([found]));

  test.each(Object.keys(TASKS))('the whole title %j finds its task', async (title) => {
    expect(await find(title)).toContain(title.slice(0, 4));
  });

  test.each([
    'ringen',
    'üll',
    'müll straße',
    '%',
    '_',
    '%%%',
    '\\',
    "'",
    '&|!:*()<->',
    "' or 'q'='q",
    '🧮',
    ' ',
    'm%l',
    'm_ll',
    'example%org nothing',
  ])('%s finds nothing', async (q) => expect(await find(q)).toEqual([]));

  test('finds what a task is called now, not what it was called', async () => {
    const { id } = (await ada.ask('POST', '/api/v1/tasks', { body: { title: 'formerly', description: 'wordy' } })).body;
    await ada.ask('PATCH', `/api/v1/tasks/${id}`, { body: { title: 'nowadays', description: null } });
    expect(await find('formerly')).toEqual([]);
    expect(await find('wordy')).toEqual([]);
    expect(await find('nowadays')).toEqual(['nowa']);
  });

  test('takes a description of one word of 10,000 letters', async () => {
    const body = { title: 'endless', description: 'ü'.repeat(10_000) };
    expect((await ada.ask('POST', '/api/v1/tasks', { body })).status).toBe(201);
    expect(await find('ü'.repeat(200))).toEqual(['endl']);
  });
});

describe('a day ends where the next one begins', () => {
  test.each<[what: string, date: string, zone: string, dueAt: string]>([
    ['in winter', '2026-01-15', 'Europe/Berlin', '2026-01-15T23:00:00.000Z'],
    ['in summer', '2026-07-15', 'Europe/Berlin', '2026-07-15T22:00:00.000Z'],
    ['on the day of 23 hours', '2026-03-29', 'Europe/Berlin', '2026-03-29T22:00:00.000Z'],
    ['on the day before it', '2026-03-28', 'Europe/Berlin', '2026-03-28T23:00:00.000Z'],
    ['on the day of 25 hours', '2026-10-25', 'Europe/Berlin', '2026-10-25T23:00:00.000Z'],
    ['where midnight does not exist', '2018-11-03', 'America/Sao_Paulo', '2018-11-04T03:00:00.000Z'],
    ['where the next day does not exist', '2011-12-29', 'Pacific/Apia', '2011-12-30T10:00:00.000Z'],
    ['half an hour off', '2026-07-15', 'Asia/Kolkata', '2026-07-15T18:30:00.000Z'],
    ['at the far end of the world', '2026-07-15', 'Pacific/Kiritimati', '2026-07-15T10:00:00.000Z'],
    ['on a leap day', '2028-02-29', 'UTC', '2028-03-01T00:00:00.000Z'],
    ['at the end of time', '9999-12-30', 'America/New_York', '9999-12-31T05:00:00.000Z'],
    ['long ago', '1900-01-01', 'UTC', '1900-01-02T00:00:00.000Z'],
  ])('%s: %s in %s', async (_what, date, zone, dueAt) => {
    const due = { date, zone };
    const created = await ada.ask('POST', '/api/v1/tasks', { body: { title: 'due', due } });
    expect(created.body).toMatchObject({ due, dueAt });
    expect((await ada.ask('GET', `/api/v1/tasks/${created.body.id}`)).body).toEqual(created.body);
  });

  test('today is not overdue anywhere, and two days ago is everywhere', async () => {
    const day = (offset: number) => new Date(Date.now() + offset * 86_400_000).toISOString().slice(0, 10);
    const { ask } = await product.person();
    const make = (title: string, date: string, zone: string) =>
      ask('POST', '/api/v1/tasks', { body: { title, due: { date, zone } } });
    await make('today in the west', day(0), 'Pacific/Pago_Pago');
    await make('tomorrow in the east', day(1), 'Pacific/Kiritimati');
    await make('two days ago in the west', day(-2), 'Pacific/Pago_Pago');
    await make('two days ago in the east', day(-2), 'Pacific/Kiritimati');
    const overdue = async (is: boolean) =>
      (await ask('GET', `/api/v1/tasks?sort=title&overdue=${is}`)).body.items.map(
        (task: { title: string }) => task.title,
      );
    expect(await overdue(true)).toEqual(['two days ago in the east', 'two days ago in the west']);
    expect(await overdue(false)).toEqual(['today in the west', 'tomorrow in the east']);
  });
});
