/** What the gateway lets through, and as what: addresses, people, headers and bodies. */
import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { asking } from '../e2e/support/client.ts';
import { answerJson, newToken, openGateway, type StandIn, standIn } from './bed.ts';

let user: StandIn;
let task: StandIn;
let gateway: Awaited<ReturnType<typeof openGateway>>;
let token: string;
beforeAll(async () => {
  [user, task, token] = [await standIn(), await standIn(), await newToken()];
  gateway = await openGateway(
    { user: user.url, task: task.url },
    { CORS_ORIGINS: 'https://app.example.org,http://localhost:5173' },
  );
});
afterAll(async () => {
  await gateway.close('at-once');
  await Promise.all([user.stop(), task.stop()]);
});
beforeEach(() => {
  for (const one of [user, task]) {
    one.seen.splice(0);
    one.handle = (_request, response) => answerJson(response, 200);
    one.health = { status: 'ok', parts: {} };
  }
});
const ask = (...[method, path, options]: Parameters<ReturnType<typeof asking>>) =>
  asking(gateway.url, token)(method, path, options);
const strange = (method: string, path: string) => asking(gateway.url)(method, path);

describe('addresses', () => {
  test('lead to the service that answers for them, whole and unread', async () => {
    for (const path of ['/api/v1/tasks?q=a%20b&sort=-dueAt', '/api/v1/tasks/x%2Fy/complete', '/api/v1/categories'])
      expect((await ask('GET', path)).status).toBe(200);
    expect(task.seen.map(({ url }) => url)).toEqual([
      '/api/v1/tasks?q=a%20b&sort=-dueAt',
      '/api/v1/tasks/x%2Fy/complete',
      '/api/v1/categories',
    ]);
    await ask('GET', '/api/v1/me');
    expect(user.seen.map(({ url }) => url)).toEqual(['/api/v1/me']);
  });
  test.each([
    '/api/v1/tasksX',
    '/api/v1/ops/overview',
    '/api/v2/tasks',
    '/api/v1/%2e%2e/tasks',
  ])('%s is none, and is asked of nobody', async (path) => {
    const answer = await ask('GET', path);
    expect([answer.status, answer.body?.code]).toEqual([404, 'not-found']);
    expect([...user.seen, ...task.seen]).toEqual([]);
  });
  test('a method that no API of ours has is refused at the door', async () => {
    expect((await ask('OPTIONS', '/api/v1/tasks')).status).toBe(405);
    expect(task.seen).toEqual([]);
  });
});

test.each([
  { mails: 'lie in a mailbox', paths: { '/api/v1/dev/mailbox': {} }, leads: true },
  { mails: 'are sent', paths: {}, leads: false },
])('where mails $mails, the first page leads there: $leads', async ({ paths, leads }) => {
  const notification = await standIn();
  notification.handle = (_request, response) => answerJson(response, 200, { paths });
  const front = await openGateway({ user: user.url, task: task.url, notification: notification.url });
  const page = await (await fetch(front.url)).text();
  expect(page).toContain('href="/docs"');
  expect(page.includes('href="/dev/mailbox"')).toBe(leads);
  await front.close('at-once');
  await notification.stop();
});

describe('who asks', () => {
  test('is known before a service is troubled, where a token is needed', async () => {
    const refused = await strange('GET', '/api/v1/tasks');
    expect([refused.status, refused.body?.code]).toEqual([401, 'unauthenticated']);
    expect((await asking(gateway.url, `${token}x`)('GET', '/api/v1/tasks')).status).toBe(401);
    expect(task.seen).toEqual([]);
    expect((await strange('POST', '/api/v1/auth/login')).status).toBe(200);
    expect((await ask('GET', '/api/v1/tasks')).status).toBe(200);
  });
  test('is said by the token alone, which the service verifies again', async () => {
    const claims = ['x-user-id', 'x-roles', 'x-authenticated-user', 'x-remote-user', 'forwarded', 'x-forwarded-for'];
    const headers = Object.fromEntries(claims.map((name) => [name, 'admin']));
    await ask('GET', '/api/v1/tasks', { headers: { ...headers, 'x-real-ip': '1.2.3.4', via: 'admin' } });
    const [seen] = task.seen;
    expect(JSON.stringify(seen)).not.toContain('admin');
    expect(seen?.headers.authorization).toBe(`Bearer ${token}`);
    expect(seen?.headers['x-forwarded-for']).toBe('127.0.0.1');
    expect(seen?.headers['x-forwarded-host']).toBe(new URL(gateway.url).host);
    expect(seen?.headers.host).toBe(new URL(task.url).host);
  });
});

describe('a request', () => {
  test('keeps its name and its trace from door to service', async () => {
    const requestId = randomUUID();
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    const answer = await ask('GET', '/api/v1/tasks', { headers: { 'x-request-id': requestId, traceparent } });
    expect(answer.headers.get('x-request-id')).toBe(requestId);
    const [seen] = task.seen;
    expect(seen?.headers['x-request-id']).toBe(requestId);
    expect(seen?.headers.traceparent).toMatch(
      /^00-4bf92f3577b34da6a3ce929d0e0e4736-(?!00f067aa0ba902b7)[0-9a-f]{16}-01$/,
    );
    await ask('GET', '/api/v1/tasks');
    expect(task.seen[1]?.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
  });
  test('carries what the service reads of it, and its body as it was sent', async () => {
    const headers = { 'idempotency-key': 'k', 'if-match': '"3"', 'content-type': 'application/merge-patch+json' };
    await ask('PATCH', '/api/v1/tasks/1', { headers, body: { title: 'ü' } });
    expect(task.seen[0]).toMatchObject({ method: 'PATCH', headers, body: '{"title":"ü"}' });
    await ask('DELETE', '/api/v1/tasks/1');
    expect(task.seen[1]).toMatchObject({ method: 'DELETE', body: '' });
  });
  test('has no larger body here than there', async () => {
    const answer = await ask('POST', '/api/v1/tasks', { body: 'x'.repeat(300_000) });
    expect([answer.status, answer.body?.code]).toEqual([413, 'body-too-large']);
    expect(task.seen).toEqual([]);
  });
});

describe('an answer', () => {
  test('comes back with its status, headers and body, but for what belongs to the connection', async () => {
    task.handle = (_request, response) =>
      response
        .writeHead(201, {
          location: '/api/v1/tasks/1',
          etag: '"1"',
          'set-cookie': ['a=1', 'b=2'],
          'x-private': 'p',
          connection: 'keep-alive, x-private',
          'content-security-policy': "default-src 'self'",
        })
        .end('made');
    const answer = await fetch(`${gateway.url}/api/v1/tasks`, {
      method: 'POST',
      body: '{}',
      headers: { authorization: `Bearer ${token}` },
    });
    expect([answer.status, await answer.text()]).toEqual([201, 'made']);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      location: '/api/v1/tasks/1',
      etag: '"1"',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'self'",
    });
    expect(answer.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
    expect(answer.headers.has('x-private')).toBe(false);
  });
  test('without a body stays without one', async () => {
    task.handle = (request, response) =>
      response
        .writeHead(request.method === 'HEAD' ? 200 : 304, {
          etag: '"7"',
          ...(request.method === 'HEAD' && { 'content-length': '5' }),
        })
        .end();
    const headers = { authorization: `Bearer ${token}` };
    const head = await fetch(`${gateway.url}/api/v1/tasks/1`, { method: 'HEAD', headers });
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '5', '']);
    const same = await fetch(`${gateway.url}/api/v1/tasks/1`, { headers: { ...headers, 'if-none-match': '"7"' } });
    expect([same.status, same.headers.get('etag')]).toEqual([304, '"7"']);
  });
});

/** What is written to the gateway's socket, byte by byte, and all that comes back until it is closed. */
const rawly = async (...lines: readonly string[]): Promise<string> => {
  const socket = connect(gateway.port, '127.0.0.1');
  socket.write(lines.join('\r\n'));
  return text(socket);
};

describe('a request of which two readers could make two things', () => {
  const HEAD = () => ['POST /api/v1/tasks HTTP/1.1', 'Host: a', `Authorization: Bearer ${token}`, 'Connection: close'];
  test.each([
    ['two lengths', ['Content-Length: 2', 'Content-Length: 30'], '{}'],
    ['a length and chunks', ['Content-Length: 2', 'Transfer-Encoding: chunked'], '0\r\n\r\n'],
    ['a length that is none', ['Content-Length: +2'], '{}'],
    ['chunks that are not the last coding', ['Transfer-Encoding: chunked, identity'], '0\r\n\r\n'],
  ])('%s: is refused, and nobody sees it', async (_what, headers, body) => {
    expect(await rawly(...HEAD(), ...headers, '', body)).toMatch(/^HTTP\/1.1 400 /);
    expect(task.seen).toEqual([]);
  });
  test('chunks become a length that we counted', async () => {
    const answer = await rawly(...HEAD(), 'Transfer-Encoding: chunked', '', '2', '{}', '0', '', '');
    expect(answer).toMatch(/^HTTP\/1.1 200 /);
    expect(task.seen).toMatchObject([{ body: '{}', headers: { 'content-length': '2' } }]);
    expect(task.seen[0]?.headers).not.toHaveProperty('transfer-encoding');
  });
  test('a header that Connection names is for us alone, one that claims another host is not believed', async () => {
    const named = ['Connection: close, If-Match, X-Request-Id', 'If-Match: "1"', 'Upgrade: h2c', 'TE: trailers'];
    const head = HEAD().filter((line) => !line.startsWith('Connection'));
    await rawly(...head, ...named, 'Keep-Alive: timeout=1', 'Content-Length: 2', '', '{}');
    const [seen] = task.seen;
    for (const name of ['if-match', 'upgrade', 'te']) expect(seen?.headers).not.toHaveProperty(name);
    expect(seen?.headers).toMatchObject({ host: new URL(task.url).host, 'x-forwarded-host': 'a' });
    expect(seen?.headers.connection).toBe('keep-alive');
  });
  test('what is behind a body is another request, and not a part of it', async () => {
    const [first, ...rest] = HEAD();
    const line = `${first}`;
    const answers = await rawly(
      line,
      ...rest.filter((header) => !header.startsWith('Connection')),
      'Content-Length: 2',
      '',
      `{}GET /api/v1/tasks/smuggled HTTP/1.1`,
      'Host: a',
      'Connection: close',
      '',
      '',
    );
    expect(answers.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 401']);
    expect(task.seen.map(({ url }) => url)).toEqual(['/api/v1/tasks']);
  });
});

describe('web pages of other origins', () => {
  const from = (origin: string, method: string, headers: Record<string, string> = {}) =>
    fetch(`${gateway.url}/api/v1/tasks`, { method, headers: { origin, ...headers } });
  const preflight = (origin: string) =>
    from(origin, 'OPTIONS', { 'access-control-request-method': 'PATCH', 'access-control-request-headers': 'if-match' });
  test('may ask where they are named, and read the headers that matter', async () => {
    const before = await preflight('https://app.example.org');
    expect(before.status).toBe(204);
    expect(before.headers.get('access-control-allow-origin')).toBe('https://app.example.org');
    expect(before.headers.get('access-control-allow-methods')).toContain('PATCH');
    expect(before.headers.get('access-control-allow-headers')).toContain('If-Match');
    const refused = await from('http://localhost:5173', 'GET');
    expect(refused.status, 'a refusal can be read too').toBe(401);
    expect(refused.headers.get('access-control-allow-origin')).toBe('http://localhost:5173');
    expect(refused.headers.get('access-control-expose-headers')).toContain('ETag');
    expect(refused.headers.get('vary')).toBe('Origin');
    expect(refused.headers.has('access-control-allow-credentials')).toBe(false);
  });
  test.each(['https://evil.example', 'null', 'https://app.example.org.evil.example'])('%s may not', async (origin) => {
    expect((await preflight(origin)).headers.has('access-control-allow-origin')).toBe(false);
    expect((await from(origin, 'GET')).headers.has('access-control-allow-origin')).toBe(false);
  });
});

describe('how it is', () => {
  const parts = async () => (await strange('GET', '/health/db')).body?.parts;

  test('is told with what each service says of its parts, as it came', async () => {
    task.health = { status: 'degraded', parts: { 'db.task': { status: 'degraded', detail: 'slow', consumers: [] } } };
    expect(await parts()).toMatchObject({ 'db.task': { status: 'degraded', detail: 'slow', consumers: [] } });
  });

  test.each([
    ['parts that are a list', { parts: ['db'] }],
    ['a part without a status', { parts: { 'db.task': null } }],
    ['a status that is none', { parts: { 'db.task': { status: 'fine' } } }],
    ['no parts', { status: 'ok' }],
  ])('is told of a service that answers %s by its name alone', async (_what, health) => {
    task.health = health;
    expect(await parts()).toEqual({
      task: { status: 'down', detail: 'not to be understood' },
      notification: { status: 'down', detail: 'not reachable' },
    });
    expect((await strange('GET', '/health')).status).toBe(200);
  });
});
