/** What somebody is told lies in their inbox, until they say otherwise. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Ask, startTestApp, type TestApp } from '../support/app.ts';
import { expectProblem } from '../support/expectations.ts';
import { served } from '../support/served.ts';
import { until } from '../support/until.ts';

let product: TestApp;
beforeAll(async () => {
  product = await startTestApp();
});
afterAll(() => product.close());

const DAY = 86_400_000;
const inMs = (ms: number): string => new Date(Date.now() + ms).toISOString();
const makeTask = async (ask: Ask, body: object) => (await ask('POST', '/api/v1/tasks', { body })).body;
/** Completes tasks, one after the other, and waits until their owner was told. Answers their titles. */
const completeTasks = async (ask: Ask, count: number): Promise<readonly string[]> => {
  const titles = Array.from({ length: count }, (_, n) => `task ${n}`);
  let token = '';
  for (const title of titles) {
    const { id } = await makeTask(ask, { title });
    token = String((await ask('POST', `/api/v1/tasks/${id}/complete`)).headers['consistency-token']);
  }
  const headers = { 'consistency-token': token };
  expect((await served(() => ask('GET', '/api/v1/inbox', { headers }))).status).toBe(200);
  await until('all to be told', async () => (await unread(ask)) === count);
  return titles;
};
const list = async (ask: Ask, query = '') => (await ask('GET', `/api/v1/inbox?${query}`)).body;
const titlesOf = ({ items }: { items: readonly { title: string }[] }) => items.map(({ title }) => title);
const unread = async (ask: Ask): Promise<number> => (await ask('GET', '/api/v1/inbox/unread-count')).body.count;
const urlOf = ({ id }: { id: string }) => `/api/v1/inbox/${id}`;

describe('an entry tells', () => {
  test('that a task was completed, to whoever reads with the token of that', async () => {
    const { ask } = await product.person();
    const task = await makeTask(ask, { title: 'Water the plants' });
    const done = await ask('POST', `/api/v1/tasks/${task.id}/complete`);
    const headers = { 'consistency-token': String(done.headers['consistency-token']) };
    const { body } = await served(() => ask('GET', '/api/v1/inbox', { headers }));
    expect(body).toEqual({
      items: [
        {
          id: expect.any(String),
          version: 1,
          rule: 'task_completed',
          about: { type: 'task', id: task.id },
          subject: '“Water the plants” is completed',
          title: 'Water the plants',
          dueAt: null,
          read: false,
          archived: false,
          createdAt: expect.any(String),
          readAt: null,
          archivedAt: null,
        },
      ],
      nextCursor: null,
    });
    const [entry] = body.items;
    const one = await ask('GET', urlOf(entry));
    expect(one).toMatchObject({ status: 200, body: entry, headers: { etag: '"1"' } });
    expect((await ask('GET', urlOf(entry), { headers: { 'if-none-match': '"1"' } })).status).toBe(304);
  });

  test('that a task is due soon, that it is overdue, and what it is called by then', async () => {
    const { ask } = await product.person();
    const soon = await makeTask(ask, { title: 'once', due: { at: inMs(DAY + 4_000) } });
    await ask('PATCH', `/api/v1/tasks/${soon.id}`, { body: { title: 'tomorrow' } });
    const over = await makeTask(ask, { title: 'today', due: { at: inMs(1_500) } });
    await until('both to be told', async () => (await unread(ask)) === 2);
    const { items } = await list(ask);
    const told = items.toSorted((one: { title: string }, other: { title: string }) =>
      one.title < other.title ? -1 : 1,
    );
    expect(told).toMatchObject([
      { rule: 'task_overdue', title: 'today', dueAt: over.dueAt, subject: '“today” is overdue' },
      { rule: 'task_reminder', title: 'tomorrow', dueAt: soon.dueAt, subject: '“tomorrow” is due soon' },
    ]);
  });

  test('nothing to anybody else', async () => {
    const [{ ask }, stranger] = [await product.person(), await product.person()];
    await completeTasks(ask, 1);
    expect(await list(stranger.ask, 'status=all&count=true')).toEqual({ items: [], nextCursor: null, totalCount: 0 });
    expect(await unread(stranger.ask)).toBe(0);
  });
});

describe('marking an entry', () => {
  const entryOf = async (ask: Ask) => {
    await completeTasks(ask, 1);
    return (await list(ask)).items[0];
  };

  test('as read, archived, and back', async () => {
    const { ask } = await product.person();
    const entry = await entryOf(ask);
    const mark = async (body: object) => (await ask('PATCH', urlOf(entry), { body })).body;
    expect(await mark({ read: true })).toMatchObject({ read: true, readAt: expect.any(String), version: 2 });
    expect(await unread(ask)).toBe(0);
    expect(await mark({ archived: true, read: false })).toMatchObject({ read: false, archived: true, version: 4 });
    expect(await unread(ask), 'what is archived is not new').toBe(0);
    expect(await mark({ archived: false })).toMatchObject({ ...entry, version: 5 });
    expect(await unread(ask)).toBe(1);
  });

  test('as what it is changes nothing', async () => {
    const { ask } = await product.person();
    const entry = await entryOf(ask);
    for (const body of [{}, { read: false }, { read: false, archived: false }]) {
      const same = await ask('PATCH', urlOf(entry), { body });
      expect([same.status, same.body, same.headers.etag]).toEqual([200, entry, '"1"']);
    }
  });

  test('asks for the version that was seen', async () => {
    const { ask } = await product.person();
    const entry = await entryOf(ask);
    const mark = (read: boolean, version: number) =>
      ask('PATCH', urlOf(entry), { body: { read }, headers: { 'if-match': `"${version}"` } });
    expect((await mark(true, 1)).status).toBe(200);
    const late = await mark(false, 1);
    expectProblem(late, 412, 'version-conflict');
    expect(late.body.changesSince).toMatchObject([
      { version: 2, type: 'notification.read', changes: { read: { from: false, to: true } } },
    ]);
  });

  test.each([{ read: 'yes' }, { read: null }, { snoozed: true }, { title: 'x' }])('%j is no mark', async (body) => {
    const { ask } = await product.person();
    expectProblem(await ask('PATCH', urlOf(await entryOf(ask)), { body }), 422, 'invalid-input');
  });
});

describe('a list', () => {
  test('shows the newest first, page by page', async () => {
    const { ask } = await product.person();
    const titles = await completeTasks(ask, 7);
    const shown: string[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page = await list(ask, `limit=3&count=true${cursor && `&cursor=${cursor}`}`);
      shown.push(...titlesOf(page));
      expect(page.totalCount).toBe(7);
      cursor = page.nextCursor;
    }
    expect(shown).toEqual(titles.toReversed());
    const { nextCursor } = await list(ask, 'limit=3');
    expectProblem(await ask('GET', `/api/v1/inbox?status=read&cursor=${nextCursor}`), 422, 'cursor-mismatch');
  });

  test('shows what is new, what was read, what was archived, or all of it', async () => {
    const { ask } = await product.person();
    await completeTasks(ask, 4);
    const [three, two, one] = (await list(ask)).items;
    await ask('PATCH', urlOf(three), { body: { archived: true } });
    await ask('PATCH', urlOf(two), { body: { read: true } });
    await ask('PATCH', urlOf(one), { body: { read: true, archived: true } });
    const shown = async (status: string) => {
      const { items, totalCount } = await list(ask, `count=true&${status}`);
      expect(totalCount).toBe(items.length);
      return titlesOf({ items });
    };
    expect(await shown('')).toEqual(['task 2', 'task 0']);
    expect(await shown('status=unread')).toEqual(['task 0']);
    expect(await shown('status=read')).toEqual(['task 2']);
    expect(await shown('status=archived')).toEqual(['task 3', 'task 1']);
    expect(await shown('status=all')).toEqual(['task 3', 'task 2', 'task 1', 'task 0']);
    expectProblem(await ask('GET', '/api/v1/inbox?status=new'), 422, 'invalid-input');
  });
});

describe('reading all', () => {
  const readAll = (ask: Ask, key?: string) =>
    ask('POST', '/api/v1/inbox/read-all', { headers: { ...(key !== undefined && { 'idempotency-key': key }) } });

  test('leaves nothing new, says how many, and touches nothing else', async () => {
    const [{ ask }, stranger] = [await product.person(), await product.person()];
    await completeTasks(ask, 3);
    await completeTasks(stranger.ask, 1);
    const [newest, read] = (await list(ask)).items;
    await ask('PATCH', urlOf(newest), { body: { archived: true } });
    await ask('PATCH', urlOf(read), { body: { read: true } });
    const all = await readAll(ask);
    expect([all.status, all.body]).toEqual([200, { count: 1 }]);
    expect(all.headers['consistency-token']).toEqual(expect.any(String));
    expect(await unread(ask)).toBe(0);
    expect((await ask('GET', urlOf(newest))).body, 'what is archived stays new').toMatchObject({
      read: false,
      version: 2,
    });
    expect((await ask('GET', urlOf(read))).body.version).toBe(2);
    expect(await unread(stranger.ask)).toBe(1);
  });

  test('again finds nothing, and writes nothing', async () => {
    const { ask } = await product.person();
    await completeTasks(ask, 2);
    expect((await readAll(ask)).body).toEqual({ count: 2 });
    const again = await readAll(ask);
    expect([again.status, again.body]).toEqual([200, { count: 0 }]);
    expect((await list(ask)).items.map(({ version }: { version: number }) => version)).toEqual([2, 2]);
  });

  test('goes on beyond what one commit takes', async () => {
    const { id, ask } = await product.person();
    await completeTasks(ask, 1);
    // As the policy would, but at once: 230 entries with their streams.
    await product.database.sql(
      `with entry as (
         select gen_random_uuid() as id, n from generate_series(1, 230) n
       ), stored as (
         insert into notification_service.event
           (era, id, stream, version, topic, key, lane, subject, type, schema_version, data, metadata)
         select era, gen_random_uuid(), 'inbox-' || entry.id, 1, topic, entry.id::text, lane, subject, type,
           schema_version, data::jsonb || '{"params": {"title": null, "dueAt": null}}', metadata
         from notification_service.event, entry
         where type = 'notification.requested' and stream like 'inbox-%' and subject = $1::text
       )
       insert into notification_service.inbox_list
         select id, 1, $1::uuid, 'task_completed', null, null, null, now() - interval '1 s' * n, null, null, null
         from entry`,
      [id],
    );
    expect((await readAll(ask)).body).toEqual({ count: 231 });
    expect(await unread(ask)).toBe(0);
  });

  test('with a key is answered alike again, whatever came meanwhile', async () => {
    const { ask } = await product.person();
    await completeTasks(ask, 2);
    const first = await readAll(ask, 'all');
    expect([first.status, first.body]).toEqual([200, { count: 2 }]);
    expect(first.headers).not.toHaveProperty('idempotency-replayed');
    await completeTasks(ask, 1);
    const again = await readAll(ask, 'all');
    expect([again.body, again.headers['idempotency-replayed']]).toEqual([{ count: 2 }, 'true']);
    expect(await unread(ask), 'what came later was not asked about').toBe(1);
    expect((await readAll(ask, 'more')).body).toEqual({ count: 1 });
  });

  test('with a key of an earlier version, which kept the count as that of a stream, is answered alike', async () => {
    const { id, ask } = await product.person();
    await completeTasks(ask, 2);
    const first = await readAll(ask, 'earlier');
    const kept = await product.database.sql<{ results: readonly object[] }>(
      'select results from notification_service.idempotency where principal = $1',
      [id],
    );
    const one = { stream: expect.stringMatching(/^inbox-/), version: 2 };
    expect(kept).toEqual([{ results: [{ count: 2 }, one] }]);
    await product.database.sql(
      `update notification_service.idempotency set
         results = json_build_array(json_build_object('stream', 'inbox', 'version', 2), results -> 1)
       where principal = $1`,
      [id],
    );
    const again = await readAll(ask, 'earlier');
    expect([again.body, again.headers['idempotency-replayed']]).toEqual([{ count: 2 }, 'true']);
    const token = (answer: typeof first) => typeof answer.headers['consistency-token'];
    expect([token(first), token(again)]).toEqual(['string', 'string']);
  });

  test('ten times at once reads each entry once', async () => {
    const { ask } = await product.person();
    await completeTasks(ask, 10);
    const answers = await Promise.all(Array.from({ length: 10 }, () => readAll(ask)));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(answers.reduce((sum, { body }) => sum + body.count, 0)).toBe(10);
    expect((await list(ask)).items.map(({ version }: { version: number }) => version)).toEqual(answers.map(() => 2));
  });
});
