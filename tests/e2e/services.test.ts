/** A process for each service: what each serves alone, what it waits for, and what it does while the others are away. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { freePort } from '../support/free-port.ts';
import { databaseSettings } from '../support/installation.ts';
import { served } from '../support/served.ts';
import { until } from '../support/until.ts';
import { asking, newPerson } from './support/client.ts';
import { answering, productBed, productBedPerTest, type Run, type Server } from './support/product.ts';
import { openProxy } from './support/proxy.ts';

const ISSUER = { PUBLIC_URL: 'http://localhost:8000', LOG_LEVEL: 'info' };

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

/** Where a process listens, which it does before it serves. */
const listening = async (run: Run): Promise<Server> => {
  const [, url = ''] = await run.said(/"url":"(http[^"]+)","msg":"listening"/);
  return { ...run, url };
};

describe('three processes', () => {
  const bed = productBed();
  let user: Server;
  let task: Server;
  let notification: Server;
  beforeAll(async () => {
    const env = { ...ISSUER, ...databaseSettings(database), DATA_DIR: await bed.folder() };
    user = await answering(bed.taskwire(['start', 'user'], { env }));
    const others = { ...env, USER_SERVICE_URL: user.url };
    [task, notification] = (await Promise.all(
      ['task', 'notification'].map((name) => answering(bed.taskwire(['start', name], { env: others }))),
    )) as [Server, Server];
  });
  afterAll(() => bed.clear());

  test('are one product: a token of one is good at the others, and events travel between them', async () => {
    const ada = await newPerson(user.url);
    const tasks = asking(task.url, ada.token);
    const made = await tasks('POST', '/api/v1/tasks', { body: { title: 'Between processes' } });
    expect(made.status).toBe(201);
    const done = await tasks('POST', `${made.headers.get('location')}/complete`);
    expect(done.status).toBe(200);
    const inbox = asking(notification.url, ada.token);
    const token = { 'consistency-token': String(done.headers.get('consistency-token')) };
    const told = await served(() => inbox('GET', '/api/v1/inbox', { headers: token }));
    expect(told.body?.items).toMatchObject([{ about: { id: made.body?.id } }]);
  });

  test('each serves its own API and describes it, and nothing of the others', async () => {
    const paths = await Promise.all(
      [user, task, notification].map(async ({ url }) => {
        const { body } = await asking(url)('GET', '/openapi.json');
        return Object.keys(body?.paths as object);
      }),
    );
    expect(paths[0]).toContain('/api/v1/auth/login');
    expect(paths[1]).toContain('/api/v1/tasks/{id}/complete');
    expect(paths[2]).toContain('/api/v1/inbox');
    const all = paths.flat();
    expect(new Set(all).size).toBe(all.length);
    expect((await asking(task.url)('GET', '/api/v1/me')).status).toBe(404);
    expect((await asking(task.url)('GET', '/.well-known/jwks.json')).status).toBe(404);
    expect((await asking(user.url)('GET', '/.well-known/jwks.json')).status).toBe(200);
    expect((await asking(task.url)('GET', '/problems/task-not-found')).status).toBe(200);
    expect((await asking(user.url)('GET', '/problems/task-not-found')).status).toBe(404);
    expect((await asking(notification.url)('GET', '/dev/mailbox')).status).toBe(200);
    expect((await asking(task.url)('GET', '/dev/mailbox')).status).toBe(404);
  });

  test('each tells what it says and hears', async () => {
    const operations = async ({ url }: Server) =>
      Object.keys((await asking(url)('GET', '/asyncapi.json')).body?.operations as object);
    expect(await operations(user)).toEqual(['user.send.user.events']);
    expect(await operations(task)).toEqual(['task.send.task.events']);
    expect(await operations(notification)).toEqual(
      expect.arrayContaining(['notification.send.notification.events', 'notification.tasks.receive.task.events']),
    );
  });

  test('each answers for its own parts', async () => {
    const parts = async ({ url }: Server, path: string) =>
      Object.keys((await asking(url)('GET', path)).body?.parts as object);
    expect(await parts(user, '/health')).toEqual(['db.user']);
    expect(await parts(task, '/health/db')).toEqual(['db.task']);
    expect(await parts(notification, '/health/events')).toEqual(['events.notification', 'events.notification.mails']);
    for (const { url } of [user, task, notification]) {
      expect((await asking(url)('GET', '/health/live')).status).toBe(200);
      expect((await served(() => asking(url)('GET', '/health/ready'))).status).toBe(200);
    }
  });

  test('one that has just begun knows tokens before the first comes, should the user service go meanwhile', async () => {
    const { token } = await newPerson(user.url);
    const { body } = await asking(user.url)('GET', '/.well-known/jwks.json');
    const issuer = createServer((_request, response) => response.end(JSON.stringify(body))).listen(0, '127.0.0.1');
    const asked = once(issuer, 'request');
    await once(issuer, 'listening');
    const { port } = issuer.address() as AddressInfo;
    const env = { ...ISSUER, ...databaseSettings(database), DATA_DIR: await bed.folder() };
    const fresh = bed.taskwire(['start', 'task'], { env: { ...env, USER_SERVICE_URL: `http://127.0.0.1:${port}` } });
    await asked;
    issuer.close();
    const { url } = await answering(fresh);
    expect((await asking(url, token)('GET', '/api/v1/tasks')).status).toBe(200);
  });
});

describe('a process alone', () => {
  const bed = productBedPerTest();
  const environment = async (more: Readonly<Record<string, string>> = {}) => ({
    ...ISSUER,
    ...databaseSettings(database),
    DATA_DIR: await bed.folder(),
    ...more,
  });

  test('waits for the schema, says so once, and serves as soon as it is there', async () => {
    const env = await environment({ DB_NAME: `late_${randomUUID().replaceAll('-', '')}` });
    const late = await listening(bed.taskwire(['start', 'notification'], { env }));
    const ask = asking(late.url);
    const ready = await until('it to say what for', async () => {
      const answer = await ask('GET', '/health/ready');
      return JSON.stringify(answer.body).includes('waiting for the schema keys') ? answer : undefined;
    });
    expect(ready.status).toBe(503);
    expect((await ask('GET', '/health/live')).status).toBe(200);
    const refused = await ask('GET', '/api/v1/dev/mailbox');
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
    // Two at once: of two migrators one waits for the other.
    const migrators = [bed.taskwire(['migrate'], { env }), bed.taskwire(['migrate'], { env })];
    for (const { exit } of migrators) expect(await exit).toEqual({ code: 0, signal: null });
    await late.said(/ready at/);
    expect((await served(() => ask('GET', '/health/ready'))).status).toBe(200);
    expect(late.output().match(/taskwire: waiting for the schema keys/g)).toHaveLength(1);
    late.signal('SIGTERM');
    expect(await late.exit).toEqual({ code: 0, signal: null });
    await database.sql(`drop database "${env.DB_NAME}" with (force)`);
  });

  test('waits for the database, tells nobody outside where it is, and can be stopped meanwhile', async () => {
    const { host, port } = inject('server');
    const proxy = await openProxy(`${host}/.s.PGSQL.${port}`);
    proxy.swallow();
    const env = await environment({ DB_HOST: '127.0.0.1', DB_PORT: String(proxy.port) });
    const [task, other] = await Promise.all(
      ['task', 'user'].map((name) => listening(bed.taskwire(['start', name], { env }))),
    );
    if (task === undefined || other === undefined) throw new Error('two were started');
    await task.said(new RegExp(`waiting for the database at 127.0.0.1:${proxy.port}`));
    const { body } = await asking(task.url)('GET', '/health/ready');
    expect(JSON.stringify(body)).toContain('waiting for the database');
    expect(JSON.stringify(body)).not.toContain(String(proxy.port));
    other.signal('SIGTERM');
    expect(await other.exit).toEqual({ code: 0, signal: null });
    proxy.pass();
    await task.said(/ready at/);
    task.signal('SIGKILL');
    await task.exit;
    await proxy.close();
  });

  test('starts without the user service, and tells tokens apart once its keys were seen, also when it is gone', async () => {
    const port = await freePort();
    const env = await environment({ USER_PORT: String(port), USER_SERVICE_URL: `http://127.0.0.1:${port}` });
    const task = await answering(bed.taskwire(['start', 'task'], { env }));
    const person = async () => {
      const user = await answering(bed.taskwire(['start', 'user'], { env }));
      return { user, ada: await newPerson(user.url) };
    };
    const made = 'eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6Im4ifQ.e30.'.concat('A'.repeat(86));
    const unknown = await asking(task.url, made)('GET', '/api/v1/tasks');
    expect([unknown.status, unknown.headers.get('retry-after'), unknown.body?.code]).toEqual([503, '1', 'unavailable']);
    expect((await asking(task.url)('GET', '/api/v1/tasks')).status, 'without any token').toBe(401);
    const { user, ada } = await person();
    const ask = asking(task.url, ada.token);
    await until('the keys to be fetched', async () => (await ask('GET', '/api/v1/tasks')).status === 200);
    user.signal('SIGKILL');
    await user.exit;
    expect((await ask('GET', '/api/v1/tasks')).status).toBe(200);
    expect((await asking(task.url, made)('GET', '/api/v1/tasks')).status, 'a key that is not known').toBeOneOf([
      401, 503,
    ]);
  });

  test('says good-bye before it goes: not ready, served still, and gone with 0 within 10 s', async () => {
    const task = await answering(bed.taskwire(['start', 'task'], { env: await environment() }));
    const ask = asking(task.url);
    expect((await ask('GET', '/health/ready')).headers.get('keep-alive')).toBe('timeout=5');
    const began = performance.now();
    task.signal('SIGTERM');
    const leaving = await until('it to be not ready', async () => {
      const answer = await ask('GET', '/health/ready');
      return answer.status === 503 ? answer : undefined;
    });
    expect(leaving.headers.get('keep-alive')).toBe('timeout=3');
    expect(leaving.body).toMatchObject({ parts: { process: { detail: 'stopping' } } });
    expect((await ask('GET', '/openapi.json')).status).toBe(200);
    expect(await task.exit).toEqual({ code: 0, signal: null });
    expect(performance.now() - began).toBeLessThan(10_000);
  });

  test('needs a database that others can reach too', async () => {
    const refused = bed.taskwire(['start', 'task'], { env: { DATA_DIR: await bed.folder() } });
    expect(await refused.exit).toEqual({ code: 2, signal: null });
    expect(refused.output()).toMatch(/^taskwire: DB_HOST must be given/);
    const unknown = bed.taskwire(['start', 'taks']);
    expect(await unknown.exit).toEqual({ code: 2, signal: null });
    expect(unknown.output()).toMatch(/all, .*task/);
  });

  test('asks in production for the secrets that it uses, and for no others', async () => {
    const env = { NODE_ENV: 'production', PASSWORD_COST: '12', DATA_DIR: await bed.folder() };
    const refused = bed.taskwire(['start', 'task'], { env });
    expect(await refused.exit).toEqual({ code: 2, signal: null });
    expect(refused.output()).toMatch(/MASTER_KEY must be given/);
    expect(refused.output()).not.toMatch(/PEPPER|JWT|SMTP/);
  });
});
