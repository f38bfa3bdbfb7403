/** Categories: their life, and that no task is ever left in one that is gone, or put into one that takes none. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildApp } from '../../src/app.ts';
import { createLogger } from '../../src/platform/telemetry/logger.ts';
import { type Answer, type Ask, asking, startTestApp, type TestApp } from '../support/app.ts';
import { expectNothingStored, expectProblem } from '../support/expectations.ts';
import { succeeded } from '../support/succeeded.ts';

let product: TestApp;
let ada: Awaited<ReturnType<TestApp['person']>>;
beforeAll(async () => {
  product = await startTestApp();
  ada = await product.person();
});
afterAll(() => product.close());

const makeCategory = async (fields: object = {}): Promise<string> =>
  (await ada.ask('POST', '/api/v1/categories', { body: { name: 'Home', ...fields } })).body.id;
const urlOf = (id: string) => `/api/v1/categories/${id}`;
const addTask = (categoryId: string, ask: Ask = ada.ask, title = 'inside') =>
  ask('POST', '/api/v1/tasks', { body: { title, categoryId } });
const inside = async (id: string) => {
  const [row] = await product.database.sql<{ count: number }>(
    'select count(*)::int as count from task_service.task_list where category_id = $1',
    [id],
  );
  return row?.count;
};

describe('a category', () => {
  test('is made, changed, archived, taken back, and deleted for good', async () => {
    const made = await ada.ask('POST', '/api/v1/categories', { body: { name: 'Work', color: '#00ff00', order: 3 } });
    expect(made).toMatchObject({ status: 201, headers: { location: urlOf(made.body.id), etag: '"1"' } });
    expect(made.body).toMatchObject({ name: 'Work', color: '#00ff00', order: 3, status: 'active', ownerId: ada.id });
    const url = urlOf(made.body.id);
    expect((await ada.ask('PATCH', url, { body: { color: null } })).body).toMatchObject({ color: null, version: 2 });
    expect((await ada.ask('POST', `${url}/archive`)).body).toMatchObject({ status: 'archived', version: 3 });
    expectProblem(await ada.ask('PATCH', url, { body: { name: 'Job' } }), 409, 'category-archived');
    expect((await ada.ask('POST', `${url}/unarchive`)).body).toMatchObject({ status: 'active', version: 4 });
    expect(await ada.ask('DELETE', url)).toMatchObject({ status: 204, body: '' });
    await expectNothingStored(product, async () => {
      for (const [method, rest, body] of [
        ['GET', ''],
        ['PATCH', '', { name: 'again' }],
        ['DELETE', ''],
        ['POST', '/archive'],
        ['POST', '/unarchive'],
      ] as const) {
        expectProblem(await ada.ask(method, url + rest, { ...(body && { body }) }), 404, 'category-not-found');
      }
      expectProblem(await addTask(made.body.id), 422, 'unknown-category');
    });
  });

  test('stands in its order, page by page, among those of its state', async () => {
    const { ask } = await product.person();
    const names: string[] = [];
    for (const order of [5, 1, 5, 0, 3, 3]) {
      const { body } = await ask('POST', '/api/v1/categories', { body: { name: `${order}`, order } });
      if (names.push(body.id) === 2) await succeeded(ask('POST', `${urlOf(body.id)}/archive`));
    }
    const list = async (query: string) => (await ask('GET', `/api/v1/categories?count=true&${query}`)).body;
    const shown: string[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page = await list(`limit=2${cursor && `&cursor=${cursor}`}`);
      shown.push(...page.items.map(({ name }: { name: string }) => name));
      cursor = page.nextCursor;
      expect(page.totalCount).toBe(6);
    }
    expect(shown).toEqual(['0', '1', '3', '3', '5', '5']);
    expect((await list('status=archived')).items).toMatchObject([{ name: '1' }]);
    expect((await list('status=active')).totalCount).toBe(5);
  });

  test('that is archived keeps its tasks and takes no new ones', async () => {
    const id = await makeCategory();
    const kept = (await addTask(id)).body;
    const other = (await ada.ask('POST', '/api/v1/tasks', { body: { title: 'outside' } })).body;
    await succeeded(ada.ask('POST', `${urlOf(id)}/archive`));
    await expectNothingStored(product, async () => {
      expectProblem(await addTask(id), 409, 'category-archived');
      const moved = await ada.ask('PATCH', `/api/v1/tasks/${other.id}`, { body: { categoryId: id } });
      expectProblem(moved, 409, 'category-archived');
    });
    const url = `/api/v1/tasks/${kept.id}`;
    expect((await ada.ask('PATCH', url, { body: { title: 'still' } })).body).toMatchObject({ categoryId: id });
    // A client that sends back what it read puts nothing new into it.
    const whole = { title: 'again', categoryId: id };
    expect((await ada.ask('PATCH', url, { body: whole })).body).toMatchObject(whole);
    expect((await ada.ask('POST', `${url}/complete`)).status).toBe(200);
  });
});

describe('deleting one with tasks', () => {
  const fill = async (count: number) => {
    const id = await makeCategory();
    const tasks: Awaited<ReturnType<typeof addTask>>[] = [];
    while (tasks.length < count) {
      const wave = Array.from({ length: Math.min(50, count - tasks.length) }, () => succeeded(addTask(id)));
      tasks.push(...(await Promise.all(wave)));
    }
    const [first] = tasks;
    await succeeded(ada.ask('DELETE', `/api/v1/tasks/${first?.body.id}`)); // one lies in the trash
    return { id, tasks: tasks.map(({ body }) => body.id as string), trashed: first?.body.id as string };
  };

  test('is refused when nothing is said of them, also when all lie in the trash', async () => {
    for (const count of [1, 3]) {
      const { id } = await fill(count);
      await expectNothingStored(product, async () =>
        expectProblem(await ada.ask('DELETE', urlOf(id)), 409, 'category-not-empty'),
      );
    }
  });

  test.each([3, 100, 101, 230])('lets go of %i of them, or puts them into the trash', async (count) => {
    for (const becomes of ['uncategorize', 'trash']) {
      const { id, tasks, trashed } = await fill(count);
      expect((await ada.ask('DELETE', `${urlOf(id)}?tasks=${becomes}`)).status).toBe(204);
      expect(await inside(id)).toBe(0);
      const rows = await product.database.sql<{ id: string; deleted: boolean }>(
        'select id, deleted_at is not null as deleted from task_service.task_list where id = any($1)',
        [tasks],
      );
      expect(rows).toHaveLength(count);
      expect(rows.filter(({ deleted }) => deleted)).toHaveLength(becomes === 'trash' ? count : 1);
      const restored = await ada.ask('POST', `/api/v1/tasks/${trashed}/restore`);
      expect(restored.body).toMatchObject({ categoryId: null, deletedAt: null });
    }
  });

  test.each(['tasks=keep', 'tasks=', 'tasks=trash&tasks=trash', 'task=trash'])('?%s is no answer', async (query) => {
    const { id } = await fill(1);
    await expectNothingStored(product, async () =>
      expectProblem(await ada.ask('DELETE', `${urlOf(id)}?${query}`), 422, 'invalid-input'),
    );
  });
});

/** The same product in another process, as far as locks, queues and caches go. */
const withTwin = async (run: (ask: Ask) => Promise<void>) => {
  const { config, secrets, database } = product;
  const twin = await buildApp(config, secrets, database.address, createLogger('silent'));
  try {
    await run(asking(twin, ada.token));
  } finally {
    await twin.close();
  }
};

describe('while others put tasks into it', () => {
  const ROUNDS = 20;
  const MOST_ROUNDS = 200;
  /**
   * From two processes tasks are put into it, one after the other, until the end is over: one is under way nearly all the
   * time. They and the end begin in one tick, or either some ms before the other, more with each round. An end that is
   * told that others were busy is tried again among them. Answered is what began before the end was over.
   */
  const race = async (id: string, round: number, asks: readonly Ask[], end: () => ReturnType<Ask>) => {
    let isOver = false;
    const created: Answer[] = [];
    const putting = async (ask: Ask) => {
      for (let n = round; !isOver; n += 1) {
        created.push(await addTask(id, ask));
        await pause((n % 4) * 4);
      }
    };
    const begin = () => Promise.all(asks.map(putting));
    const endIt = async () => {
      try {
        let ended = await end();
        for (let n = 1; n < 20 && ended.status === 503; n += 1) ended = await end();
        return ended;
      } finally {
        isOver = true;
      }
    };
    if (round % 3 === 0) {
      const ending = endIt();
      await pause(round);
      await begin();
      return { created, ended: await ending };
    }
    const begun = begin();
    if (round % 3 === 1) await pause(round);
    const ended = await endIt();
    await begun;
    return { created, ended };
  };
  /** Runs rounds, and goes on until each of these statuses was answered: else nothing has met. */
  const untilSeen = async (wanted: readonly number[], run: (round: number) => Promise<readonly number[]>) => {
    const seen = new Set<number>();
    const isSeen = () => wanted.every((status) => seen.has(status));
    for (let round = 0; round < ROUNDS || (!isSeen() && round < MOST_ROUNDS); round += 1)
      for (const status of await run(round)) seen.add(status);
    expect([...seen]).toEqual(expect.arrayContaining([...wanted]));
  };
  const statusesOf = (answers: readonly { status: number }[]) => answers.map(({ status }) => status);

  test.each(['uncategorize', 'trash'])('deleting it (%s) leaves no task in it', async (becomes) => {
    await withTwin((twin) =>
      untilSeen([201, 422], async (round) => {
        const id = await makeCategory();
        const url = `${urlOf(id)}?tasks=${becomes}`;
        const { created, ended } = await race(id, round, [ada.ask, twin], () => ada.ask('DELETE', url));
        expect([201, 422, 503]).toEqual(expect.arrayContaining([...new Set(statusesOf(created))]));
        expect(ended.status).toBe(204);
        expect(await inside(id)).toBe(0);
        return statusesOf(created);
      }),
    );
  });

  test('deleting it without a word deletes it empty or not at all', async () => {
    await withTwin((twin) =>
      untilSeen([204, 409], async (round) => {
        const id = await makeCategory();
        const { created, ended } = await race(id, round, [ada.ask, twin], () => ada.ask('DELETE', urlOf(id)));
        const put = created.filter(({ status }) => status === 201).length;
        expect([ended.status, await inside(id)]).toEqual(ended.status === 204 ? [204, 0] : [ended.status, put]);
        expect([204, 409]).toContain(ended.status);
        return [ended.status];
      }),
    );
  });

  test('archiving it counts: no task is put into it afterwards', async () => {
    await withTwin((twin) =>
      untilSeen([201, 409], async (round) => {
        const id = await makeCategory();
        const archive = () => ada.ask('POST', `${urlOf(id)}/archive`);
        const { created, ended } = await race(id, round, [ada.ask, twin], archive);
        expect(ended.status).toBe(200);
        expect([201, 409, 503]).toEqual(expect.arrayContaining([...new Set(statusesOf(created))]));
        const late = await product.database.sql(
          `select 1 from task_service.event t join task_service.event c on c.stream = $1 and c.type = 'category.archived'
           where t.type = 'task.created' and t.data ->> 'categoryId' = $2 and t.tx > c.tx`,
          [`category-${id}`, id],
        );
        expect(late).toEqual([]);
        return statusesOf(created);
      }),
    );
  });
});
