/** The product as many processes behind a gateway: it is one product, also while its parts are stopped and started. */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApp } from '../support/app.ts';
import { openInstallation } from '../support/installation.ts';
import { served } from '../support/served.ts';
import { until } from '../support/until.ts';
import { type Ask, asking, newPerson, PASSWORD } from './support/client.ts';
import { productBed } from './support/product.ts';

const bed = productBed();
let product: Awaited<ReturnType<typeof openInstallation>>;
let urls: readonly string[];
let url: string;
beforeAll(async () => {
  product = await openInstallation(bed, { user: 2, task: 2, notification: 2, gateway: 2 });
  await product.start();
  urls = product.urls('gateway');
  url = urls[0] ?? '';
});
afterAll(() => product.close());

describe('behind the gateway', () => {
  test('it is one product, down to what one service tells another', async () => {
    const { ask } = await newPerson(url);
    const made = await ask('POST', '/api/v1/tasks', {
      body: { title: 'At the door', due: { at: '2030-01-01T00:00:00Z' } },
    });
    expect(made.status).toBe(201);
    const path = String(made.headers.get('location'));
    expect((await ask('GET', path)).headers.get('etag')).toBe('"1"');
    const done = await ask('POST', `${path}/complete`, { headers: { 'if-match': '"1"', 'idempotency-key': 'once' } });
    expect(done.status).toBe(200);
    const again = await ask('POST', `${path}/complete`, { headers: { 'if-match': '"1"', 'idempotency-key': 'once' } });
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    const token = { 'consistency-token': String(done.headers.get('consistency-token')) };
    const inbox = await served(() => ask('GET', '/api/v1/inbox', { headers: token }));
    expect(inbox.body?.items).toMatchObject([{ title: 'At the door' }]);
    expect((await ask('GET', '/api/v1/me')).status).toBe(200);
    expect((await ask('GET', `/api/v1/tasks/${randomUUID()}`)).body?.code).toBe('task-not-found');
    expect((await ask('GET', '/dev/mailbox')).status).toBe(200);
    expect((await ask('GET', '/.well-known/jwks.json')).status).toBe(200);
  });

  test('the dashboard is composed of all services', async () => {
    const { ask } = await newPerson(url);
    const due = { title: 'Soon', due: { at: '2030-01-01T00:00:00Z' } };
    await ask('POST', '/api/v1/tasks', { body: due });
    await ask('POST', '/api/v1/tasks', { body: { title: 'Some day' } });
    const other = await ask('POST', '/api/v1/tasks', { body: { title: 'Done' } });
    const done = await ask('POST', `${other.headers.get('location')}/complete`);
    const headers = { 'consistency-token': String(done.headers.get('consistency-token')) };
    // A part that is late by more than its three seconds is missing: on a busy machine, that is no fault.
    const dashboard = await until('the whole of it', async () => {
      const answer = await ask('GET', '/api/v1/dashboard', { headers });
      return answer.body?.partial === true ? undefined : answer;
    });
    expect(dashboard.body).toMatchObject({
      user: { username: expect.stringMatching(/^p/) },
      tasks: { open: 2, completed: 1, overdue: 0, nextDue: [{ title: 'Soon', dueAt: '2030-01-01T00:00:00.000Z' }] },
      inbox: { unread: 1 },
      partial: false,
      missing: [],
    });
  });

  test('it describes itself as the one process does', async () => {
    const one = await startTestApp();
    try {
      const ask = asking(url);
      const [here, there] = [(await ask('GET', '/openapi.json')).body, (await one.ask('GET', '/openapi.json')).body];
      expect(Object.keys(here?.paths as object).toSorted()).toEqual(Object.keys(there.paths).toSorted());
      expect(here?.info).toEqual(there.info);
      expect(JSON.stringify(here?.paths)).toContain('`service-late`');
      const events = (await ask('GET', '/asyncapi.json')).body;
      expect(events).toEqual((await one.ask('GET', '/asyncapi.json')).body);
      expect((await ask('GET', '/docs')).status).toBe(200);
      expect((await ask('GET', '/docs/events')).status).toBe(200);
      const codes = Object.keys((await ask('GET', '/problems.json')).body ?? {});
      expect(codes).toEqual(expect.arrayContaining(Object.keys((await one.ask('GET', '/problems.json')).body)));
      for (const code of codes) expect((await ask('GET', `/problems/${code}`)).status, code).toBe(200);
    } finally {
      await one.close();
    }
  });

  test('health is what the services say, and what the gateway sees of them', async () => {
    const health = await until('all to be well', async () => {
      const { body } = await asking(url)('GET', '/health');
      return body?.status === 'ok' ? body : undefined;
    });
    expect(Object.keys(health.parts as object)).toEqual(
      expect.arrayContaining(['gateway.user', 'gateway.task', 'db.user', 'db.task', 'events.notification']),
    );
    expect(health.parts).toMatchObject({
      'gateway.task': { status: 'ok', copies: Array(2).fill({ ready: true, breaker: 'closed' }) },
    });
    expect(Object.keys((await asking(url)('GET', '/health/db')).body?.parts as object)).toContain('db.task');
  });
});

/** ms between a person's requests: what is lost is lost at the moment of a stop, and not by how much is asked. */
const THINKING = 25;
/** People who use the product all the time, writes without a key among what they do; what was not answered well. */
const load = async (people: number) => {
  const failures: string[] = [];
  let stopping = false;
  let count = 0;
  const persons = await Promise.all(Array.from({ length: people }, () => newPerson(url)));
  const note = async (what: string, send: () => ReturnType<Ask>) => {
    count += 1;
    await pause(THINKING);
    try {
      const answer = await send();
      if (answer.status >= 300) failures.push(`${what}: ${answer.status} ${JSON.stringify(answer.body)}`);
      return answer;
    } catch (error) {
      failures.push(`${what}: ${error instanceof Error ? `${error.message} ${Object(error.cause).code}` : error}`);
      return undefined;
    }
  };
  const working = persons.map(async ({ token, email }) => {
    const ask = asking(urls.join(), token);
    while (!stopping) {
      const made = await note('create', () => ask('POST', '/api/v1/tasks', { body: { title: randomUUID() } }));
      const path = made?.headers.get('location');
      if (path) await note('complete', () => ask('POST', `${path}/complete`));
      await note('list', () => ask('GET', '/api/v1/tasks?limit=5'));
      await note('me', () => ask('PATCH', '/api/v1/me', { body: { displayName: randomUUID() } }));
      await note('login', () => ask('POST', '/api/v1/auth/login', { body: { email, password: PASSWORD } }));
      await note('inbox', () => ask('GET', '/api/v1/inbox?limit=5'));
    }
  });
  return {
    failures,
    count: () => count,
    stop: async () => {
      stopping = true;
      await Promise.all(working);
    },
  };
};

test('a rolling restart of everything, under load, fails nobody', { timeout: 300_000 }, async () => {
  const people = await load(4);
  const exits: object[] = [];
  // The services behind gateways that stand; then, beside their second copies, the gateways.
  const rounds = [
    ['user-1', 'task-1', 'notification-1'],
    ['user-2', 'task-2', 'notification-2', 'gateway-1'],
    ['gateway-2'],
  ];
  for (const round of rounds) {
    await Promise.all(
      product.copies
        .filter(({ name }) => round.includes(name))
        .map(async (copy) => {
          const { ms, ...exit } = await copy.stop();
          exits.push({ name: copy.name, ...exit, inTime: ms < 10_000 });
          await copy.start();
        }),
    );
    const all = () =>
      Promise.all(urls.map((one) => asking(one)('GET', '/health').then(({ body }) => body?.status === 'ok')));
    await until('every copy to be asked again', async () => (await all()).every(Boolean), 30_000);
  }
  const before = people.count();
  await until('the load to go on', () => people.count() > before + 20);
  await people.stop();
  expect(people.failures).toEqual([]);
  expect(exits).toHaveLength(8);
  for (const exit of exits) expect(exit).toMatchObject({ code: 0, signal: null, inTime: true });
});

test('with a service away the others are as ever, and what is composed says what is missing', async () => {
  const { ask } = await newPerson(url);
  for (const copy of product.of('notification')) {
    copy.server().signal('SIGKILL');
    await copy.server().exit;
  }
  const inbox = await ask('GET', '/api/v1/inbox');
  expect([inbox.status, inbox.body?.code, inbox.headers.get('retry-after')]).toEqual([503, 'service-away', '1']);
  expect((await ask('POST', '/api/v1/tasks', { body: { title: 'Goes on' } })).status).toBe(201);
  const dashboard = await until('the others to be in time', async () => {
    const { body } = await ask('GET', '/api/v1/dashboard');
    return body?.tasks === null || body?.user === null ? undefined : body;
  });
  expect(dashboard).toMatchObject({ tasks: { open: 1 }, inbox: null, partial: true, missing: ['notification'] });
  const breakers = async () => {
    const parts = (await ask('GET', '/health')).body?.parts as Record<string, { copies: { breaker: string }[] }>;
    return parts['gateway.notification']?.copies.map(({ breaker }) => breaker).join();
  };
  await until('both breakers to open', async () => (await breakers()) === 'open,open');
  await Promise.all(product.of('notification').map((copy) => copy.start()));
  await until('both to close', async () => (await breakers()) === 'closed,closed', 10_000);
  expect((await ask('GET', '/api/v1/inbox')).status).toBe(200);
});
