/** Lists of tasks: what each filter lets through, in what order, and that pages show each task once. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { succeeded } from '../support/succeeded.ts';

type Person = Awaited<ReturnType<TestApp['person']>>;
type Task = { id: string; title: string; priority: string; dueAt: string | null; createdAt: string; updatedAt: string };
let product: TestApp;
beforeAll(async () => {
  product = await startTestApp();
});
afterAll(() => product.close());

const create = async ({ ask }: Person, body: object) => (await succeeded(ask('POST', '/api/v1/tasks', { body }))).body;
const list = async ({ ask }: Person, query = '') => {
  const { status, body } = await ask('GET', `/api/v1/tasks?${query}`);
  expect([status, query]).toEqual([200, query]);
  return body as { items: Task[]; nextCursor: string | null; totalCount?: number };
};
const titles = async (person: Person, query: string) => (await list(person, query)).items.map(({ title }) => title);
const allPages = async (person: Person, query: string, between = async () => {}) => {
  const items: Task[] = [];
  for (let cursor: string | null = ''; cursor !== null; await between()) {
    const page = await list(person, `${query}${cursor && `&cursor=${cursor}`}`);
    items.push(...page.items);
    cursor = page.nextCursor;
  }
  return items;
};

describe('a filter', () => {
  let ada: Person;
  let home: string;
  beforeAll(async () => {
    ada = await product.person();
    home = (await ada.ask('POST', '/api/v1/categories', { body: { name: 'Home' } })).body.id;
    const at = (instant: string) => ({ due: { at: instant } });
    await create(ada, { title: 'low', priority: 'low', ...at('2020-01-01T00:00:00Z') });
    await create(ada, { title: 'high', priority: 'high', categoryId: home, ...at('2090-01-01T00:00:00Z') });
    await create(ada, { title: 'undated', priority: 'urgent', categoryId: home });
    const done = await create(ada, { title: 'done', ...at('2020-01-01T00:00:00.001Z') });
    await succeeded(ada.ask('POST', `/api/v1/tasks/${done.id}/complete`));
    const gone = await create(ada, { title: 'gone', priority: 'low', categoryId: home, ...at('2020-01-01T00:00:00Z') });
    await succeeded(ada.ask('DELETE', `/api/v1/tasks/${gone.id}`));
  });

  test.each<[query: string, expected: string[]]>([
    ['', ['low', 'high', 'undated', 'done']],
    ['status=open', ['low', 'high', 'undated']],
    ['status=completed', ['done']],
    ['priority=low', ['low']],
    ['priority=low&priority=urgent', ['low', 'undated']],
    ['priority=low&priority=medium&priority=high&priority=urgent', ['low', 'high', 'undated', 'done']],
    ['categoryId=HOME', ['high', 'undated']],
    ['categoryId=HOME&priority=urgent', ['undated']],
    ['categoryId=01939d5e-0000-7000-8000-00000000dead', []],
    ['dueBefore=2020-01-01T00:00:00Z', []],
    ['dueBefore=2020-01-01T00:00:00.001Z', ['low']],
    ['dueBefore=2020-01-01T00:00:00.002Z', ['low', 'done']],
    ['dueAfter=2020-01-01T00:00:00Z', ['high', 'done']],
    ['dueAfter=2020-01-01T00:00:00Z&dueBefore=2050-01-01T00:00:00Z', ['done']],
    ['overdue=true', ['low']],
    ['overdue=false', ['high', 'undated', 'done']],
    ['overdue=true&status=completed', []],
    ['q=low&status=open&priority=low&overdue=true&dueBefore=2021-01-01T00:00:00Z', ['low']],
  ])('%s lets through %j, and counts so many', async (query, expected) => {
    const { items, totalCount } = await list(ada, `${query.replace('HOME', home)}&sort=createdAt&count=true`);
    expect(items.map(({ title }) => title)).toEqual(expected);
    expect(totalCount).toBe(expected.length);
  });

  test('of the trash shows what lies there, and nothing else', async () => {
    const { items } = (await ada.ask('GET', '/api/v1/tasks/trash?count=true')).body;
    expect(items).toMatchObject([{ title: 'gone', deletedAt: expect.stringMatching(/Z$/) }]);
    await ada.ask('POST', `/api/v1/tasks/${items[0].id}/restore`);
    expect((await ada.ask('GET', '/api/v1/tasks/trash')).body.items).toEqual([]);
    expect(await titles(ada, 'priority=low&sort=title')).toEqual(['gone', 'low']);
    await ada.ask('DELETE', `/api/v1/tasks/${items[0].id}`);
  });

  test('is not counted unless that is asked for', async () => {
    expect(await list(ada)).not.toHaveProperty('totalCount');
  });
});

const PRIORITIES = ['low', 'medium', 'high', 'urgent'];
const TITLES = ['same', 'Same', 'ärger', 'Zebra', 'apple', '10', '9', 'éclair', '漢字', '🧮'];
/** What orders a task; the id decides between equals. */
const KEYS: Record<string, (task: Task) => string | number> = {
  dueAt: ({ dueAt }) => dueAt ?? '',
  priority: ({ priority }) => PRIORITIES.indexOf(priority),
  createdAt: ({ createdAt }) => createdAt,
  updatedAt: ({ updatedAt }) => updatedAt,
  title: ({ title }) => title.normalize('NFKC').toLowerCase(),
};
const compare = (one: string | number, other: string | number) => {
  if (typeof one === 'number' || typeof other === 'number') return Number(one) - Number(other);
  return Buffer.compare(Buffer.from(one), Buffer.from(other));
};

describe('60 tasks', () => {
  let ada: Person;
  let tasks: Task[];
  beforeAll(async () => {
    ada = await product.person();
    await Promise.all(
      Array.from({ length: 60 }, (_, n) =>
        create(ada, {
          title: TITLES[n % TITLES.length],
          priority: PRIORITIES[n % 4],
          due: n % 3 === 0 ? null : { at: `2030-01-0${1 + (n % 5)}T00:00:00Z` },
        }),
      ),
    );
    for (const { id } of (await list(ada, 'limit=5')).items) await ada.ask('POST', `/api/v1/tasks/${id}/complete`);
    tasks = (await list(ada, 'limit=200')).items;
  });

  describe.each(Object.keys(KEYS).flatMap((field) => [field, `-${field}`]))('sorted by %s', (sort) => {
    const field = sort.replace('-', '');
    const turn = sort.startsWith('-') ? -1 : 1;
    const inOrder = () =>
      tasks.toSorted((one, other) => {
        const undated = Number(one.dueAt === null) - Number(other.dueAt === null);
        if (field === 'dueAt' && undated !== 0) return undated; // last, however the list is turned
        const key = KEYS[field] ?? (() => '');
        return turn * (compare(key(one), key(other)) || compare(one.id, other.id));
      });

    test.each([1, 7, 59, 60, 200])('come once each and in order on pages of %i', async (limit) => {
      const items = await allPages(ada, `sort=${sort}&limit=${limit}`);
      expect(items.map(({ id }) => id)).toEqual(inOrder().map(({ id }) => id));
    });
  });

  test('come on pages of 50 when no limit is named, the newest first', async () => {
    const { items, nextCursor } = await list(ada);
    expect(items).toHaveLength(50);
    expect(nextCursor).not.toBeNull();
    expect(items).toEqual((await list(ada, 'sort=-createdAt')).items);
  });

  test.each([
    'createdAt',
    '-createdAt',
    'title',
    '-priority',
    'dueAt',
  ])('sorted by %s come once each while others are made', async (sort) => {
    const others: string[] = [];
    const items = await allPages(ada, `sort=${sort}&limit=7`, async () => {
      const made = await Promise.all(
        ['a', 'm', 'zz'].map((title, n) =>
          create(ada, { title, priority: PRIORITIES[n], due: { at: '2030-01-03T00:00:00Z' } }),
        ),
      );
      others.push(...made.map(({ id }) => id));
      if (others.length > 60) throw new Error('the list grows faster than it is read');
    });
    const shown = items.map(({ id }) => id);
    expect(new Set(shown).size).toBe(shown.length);
    expect(shown.filter((id) => tasks.some((task) => task.id === id))).toHaveLength(60);
    for (const id of others) await ada.ask('DELETE', `/api/v1/tasks/${id}`);
  });
});
