/** When a part that a request needs breaks or is away, the request is refused for now, nothing is half done, and nobody is lied to. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildApp } from '../../src/app.ts';
import { createLogger } from '../../src/platform/telemetry/logger.ts';
import { type Answer, PASSWORD, startTestApp, type TestApp } from '../support/app.ts';
import { expectNothingStored, expectProblem } from '../support/expectations.ts';
import { until } from '../support/until.ts';

let product: TestApp;
let ada: Awaited<ReturnType<TestApp['person']>>;
let task: string;
let category: string;
let entry: string;
beforeAll(async () => {
  product = await startTestApp();
  ada = await product.person();
  category = (await ada.ask('POST', '/api/v1/categories', { body: { name: 'Home' } })).body.id;
  const made = async () =>
    (await ada.ask('POST', '/api/v1/tasks', { body: { title: 'a task', categoryId: category } })).body.id;
  await ada.ask('POST', `/api/v1/tasks/${await made()}/complete`);
  entry = await until('ada to be told', async () => (await ada.ask('GET', '/api/v1/inbox')).body.items[0]?.id);
  task = await made();
});
afterAll(() => product.close());

const bob = { email: 'bob@example.org', username: 'bob', password: PASSWORD };
/** Each use case and each kind of read, by a request that would succeed if all were well. */
const REQUESTS: Record<string, () => readonly [method: string, url: string, body?: object]> = {
  RegisterUser: () => ['POST', '/api/v1/auth/register', bob],
  AuthenticateUser: () => ['POST', '/api/v1/auth/login', { email: ada.email, password: PASSWORD }],
  UpdateUser: () => ['PATCH', '/api/v1/me', { displayName: 'Ada' }],
  CreateTask: () => ['POST', '/api/v1/tasks', { title: 'new', categoryId: category }],
  UpdateTask: () => ['PATCH', `/api/v1/tasks/${task}`, { title: 'changed' }],
  CompleteTask: () => ['POST', `/api/v1/tasks/${task}/complete`],
  DeleteTask: () => ['DELETE', `/api/v1/tasks/${task}`],
  CreateCategory: () => ['POST', '/api/v1/categories', { name: 'new' }],
  UpdateCategory: () => ['PATCH', `/api/v1/categories/${category}`, { name: 'changed' }],
  ArchiveCategory: () => ['POST', `/api/v1/categories/${category}/archive`],
  DeleteCategory: () => ['DELETE', `/api/v1/categories/${category}?tasks=trash`],
  UpdateInboxEntry: () => ['PATCH', `/api/v1/inbox/${entry}`, { archived: true }],
  'reading a user': () => ['GET', '/api/v1/me'],
  'reading a task': () => ['GET', `/api/v1/tasks/${task}`],
  'reading a history': () => ['GET', `/api/v1/tasks/${task}/history`],
  'listing tasks': () => ['GET', '/api/v1/tasks?count=true'],
  'listing categories': () => ['GET', '/api/v1/categories'],
  'listing the inbox': () => ['GET', '/api/v1/inbox?count=true'],
  'looking into the mailbox': () => ['GET', '/api/v1/dev/mailbox'],
};
const WRITES = Object.keys(REQUESTS).filter((name) => /^[A-Z]/.test(name));
const requestOf = (name: string) => {
  const request = REQUESTS[name];
  if (request === undefined) throw new Error(`there is no request called ${name}`);
  return request();
};
const send = (name: string, headers: Record<string, string> = {}): Promise<Answer> => {
  const [method, url, body] = requestOf(name);
  return ada.ask(method, url, { headers, ...(body && { body }) });
};

describe('a database that refuses connections', () => {
  let stranded: Awaited<ReturnType<typeof buildApp>>;
  beforeAll(async () => {
    const nowhere = { ...product.database.address, host: '127.0.0.1', port: 1 };
    stranded = await buildApp(product.config, product.secrets, nowhere, createLogger('silent'));
  });
  afterAll(() => stranded.close());
  const ask = async (method: string, url: string, payload?: object): Promise<Answer> => {
    const response = await stranded.http.inject({
      method: method as 'GET',
      url,
      headers: { authorization: `Bearer ${ada.token}` },
      ...(payload && { payload }),
    });
    return { status: response.statusCode, headers: response.headers, body: response.json() };
  };

  test.each(Object.keys(REQUESTS))('%s is refused for now', async (name) => {
    const answer = await ask(...requestOf(name));
    expectProblem(answer, 503, 'unavailable');
    expect(answer.headers['retry-after']).toBe('1');
  });

  test('health says so, and that the process lives', async () => {
    const down = { status: 'down', detail: 'not reachable' };
    for (const url of ['/health', '/health/db', '/health/ready']) {
      const answer = await ask('GET', url);
      expect(answer.status).toBe(503);
      expect(answer.body).toMatchObject({
        status: 'down',
        parts: { 'db.user': down, 'db.task': down, 'db.notification': down },
      });
    }
    expect((await ask('GET', '/health/live')).status).toBe(200);
  });

  test('what needs no database is served', async () => {
    expect((await ask('GET', '/openapi.json')).status).toBe(200);
    expect((await ask('GET', '/.well-known/jwks.json')).status).toBe(200);
    expectProblem(await ask('GET', '/api/v1/tasks?limit=0'), 422, 'invalid-input');
  });
});

const ofEach = (statement: (schema: string) => string) =>
  ['user_service', 'task_service', 'notification_service'].map(statement).join('; ');
/** What each port stands on, taken away by renaming it, and put back. */
const PORTS: Record<string, { of: readonly string[]; take: string; giveBack: string }> = {
  'the event store': {
    of: WRITES,
    take: ofEach((schema) => `alter function ${schema}.append rename to gone`),
    giveBack: ofEach((schema) => `alter function ${schema}.gone rename to append`),
  },
  'the keys of personal data': {
    of: ['RegisterUser'],
    take: 'alter function keys.key_for rename to gone',
    giveBack: 'alter function keys.gone rename to key_for',
  },
  'the credentials': {
    of: ['RegisterUser', 'AuthenticateUser'],
    take: 'alter table user_service.credential rename to gone',
    giveBack: 'alter table user_service.gone rename to credential',
  },
  'the reservations': {
    of: ['RegisterUser', 'AuthenticateUser'],
    take: 'alter table user_service.reservation rename to gone',
    giveBack: 'alter table user_service.gone rename to reservation',
  },
  'the list of categories': {
    of: ['CreateTask', 'CreateCategory', 'UpdateCategory', 'ArchiveCategory', 'DeleteCategory', 'listing categories'],
    take: 'alter table task_service.category_list rename to gone',
    giveBack: 'alter table task_service.gone rename to category_list',
  },
  'the list of tasks': {
    of: ['CreateTask', 'UpdateTask', 'CompleteTask', 'DeleteTask', 'DeleteCategory', 'reading a task', 'listing tasks'],
    take: 'alter table task_service.task_list rename to gone',
    giveBack: 'alter table task_service.gone rename to task_list',
  },
  'the list of entries': {
    of: ['UpdateInboxEntry', 'listing the inbox'],
    take: 'alter table notification_service.inbox_list rename to gone',
    giveBack: 'alter table notification_service.gone rename to inbox_list',
  },
  'the right to append': {
    of: WRITES,
    take: ofEach((schema) => `revoke execute on function ${schema}.append from ${schema}`),
    giveBack: ofEach((schema) => `grant execute on function ${schema}.append to ${schema}`),
  },
};

describe.each(Object.entries(PORTS))('without %s', (_what, { of, take, giveBack }) => {
  test.each(of)('%s is a fault of ours, tells nothing of it, and stores nothing', async (name) => {
    await product.database.sql(take);
    try {
      await expectNothingStored(product, async () => {
        const answer = await send(name, { 'idempotency-key': `without-${_what}`.replaceAll(' ', '-') });
        expectProblem(answer, 500, 'internal-error');
        expect(JSON.stringify(answer.body)).not.toMatch(/gone|relation|function|permission|select|insert/);
      });
    } finally {
      await product.database.sql(giveBack);
    }
  });
});

describe('connections that are cut while requests run', () => {
  const cut = () =>
    product.database.sql(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and application_name like 'taskwire %'`,
    );

  test('cost a request a 503 at the most, never a 500, and lose or double no task', async () => {
    const answers: Answer[] = [];
    const titles = new Map<string, Answer>();
    let running = true;
    const worker = async (name: string) => {
      for (let n = 0; running; n += 1) {
        const title = `${name}-${n}`;
        const headers = { 'idempotency-key': title };
        const created = await ada.ask('POST', '/api/v1/tasks', { body: { title }, headers });
        titles.set(title, created);
        answers.push(
          created,
          await ada.ask('GET', `/api/v1/tasks/${task}`),
          await ada.ask('GET', '/api/v1/tasks?limit=1'),
        );
      }
    };
    const workers = Promise.all(Array.from({ length: 8 }, (_, n) => worker(`w${n}`)));
    let killed = 0;
    // On a slow machine more rounds, until enough was asked and cut.
    for (let round = 0; round < 15 || (round < 300 && (killed <= 15 || answers.length <= 100)); round += 1) {
      await new Promise((done) => setTimeout(done, 40 + Math.random() * 60));
      killed += (await cut()).length;
    }
    running = false;
    await workers;

    expect(killed).toBeGreaterThan(15);
    expect(answers.length).toBeGreaterThan(100);
    for (const answer of answers.filter(({ status }) => status >= 400)) {
      expectProblem(answer, 503, answer.body.code);
      expect(['unavailable', 'outcome-unknown']).toContain(answer.body.code);
      expect(answer.headers['retry-after']).toBe('1');
    }
    // Who was told nothing certain asks again with the same key; then each task is there once.
    for (const [title, { status }] of titles) {
      if (status === 201) continue;
      const again = await ada.ask('POST', '/api/v1/tasks', { body: { title }, headers: { 'idempotency-key': title } });
      expect(again.status).toBe(201);
    }
    const [row] = await product.database.sql<{ tasks: number; titles: number }>(
      `select count(*)::int as tasks, count(distinct title)::int as titles from task_service.task_list where title ~ '^w\\d-'`,
    );
    expect(row).toEqual({ tasks: titles.size, titles: titles.size });
  });

  test('are opened again by themselves', async () => {
    await cut();
    for (const name of ['reading a user', 'reading a task', 'listing tasks', 'UpdateTask', 'UpdateUser']) {
      expect((await send(name)).status).toBe(200);
    }
    expect((await product.ask('GET', '/health')).status).toBe(200);
  });
});

test('every request above succeeds when all is well', async () => {
  for (const name of Object.keys(REQUESTS).filter((name) => !/^(Archive|Delete|Complete)/.test(name))) {
    expect([name, (await send(name)).status]).toEqual([name, expect.toSatisfy((status: number) => status < 300)]);
  }
  for (const name of ['CompleteTask', 'DeleteTask', 'ArchiveCategory', 'DeleteCategory']) {
    expect([name, (await send(name)).status]).toEqual([name, expect.toSatisfy((status: number) => status < 300)]);
  }
});
