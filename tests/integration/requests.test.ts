/** What every answer has in common, whatever was asked: names, headers, methods, limits. */
import { request as overHttp } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { expectProblem } from '../support/expectations.ts';
import { until } from '../support/until.ts';

let product: TestApp;
let ada: Awaited<ReturnType<TestApp['person']>>;
beforeAll(async () => {
  product = await startTestApp();
  ada = await product.person();
});
afterAll(() => product.close());

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const eventOf = async (id: string) => {
  const [event] = await product.database.sql<{ metadata: Record<string, string> }>(
    `select metadata from task_service.event where stream = $1 order by version`,
    [`task-${id}`],
  );
  return event?.metadata ?? {};
};

describe('names of a request', () => {
  const GIVEN = '7c9e6679-7425-40de-944b-e07fc1f90ae7';
  const create = (headers: Record<string, string>) =>
    ada.ask('POST', '/api/v1/tasks', { body: { title: 'traced' }, headers });

  test('a UUID in X-Request-Id is answered and stands in the event', async () => {
    const answer = await create({ 'x-request-id': GIVEN });
    expect(answer.headers['x-request-id']).toBe(GIVEN);
    expect(await eventOf(answer.body.id)).toMatchObject({ requestId: GIVEN, correlationId: GIVEN, causationId: GIVEN });
  });

  test.each(['mine', '', 'a'.repeat(5000), `${GIVEN}\u00e9`])('anything else, as %s, gets a new one', async (id) => {
    expect((await create({ 'x-request-id': id })).headers['x-request-id']).toMatch(UUID_V7);
  });

  test('a trace is continued into the event with a span of ours', async () => {
    const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
    const answer = await create({ traceparent: `00-${trace}-00f067aa0ba902b7-01` });
    const { traceparent } = await eventOf(answer.body.id);
    expect(traceparent).toMatch(new RegExp(`^00-${trace}-[0-9a-f]{16}-01$`));
    expect(traceparent).not.toContain('00f067aa0ba902b7');
    const refusal = await ada.ask('GET', '/api/v1/tasks?limit=0', {
      headers: { traceparent: `00-${trace}-00f067aa0ba902b7-01` },
    });
    expect(refusal.body.traceId).toBe(trace);
  });

  test.each([
    '',
    'rubbish',
    `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`,
    `00-4bf92f3577b34da6a3ce929d0e0e4736-${'0'.repeat(16)}-01`,
    'ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    '00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01',
  ])('a traceparent of %j begins a new trace', async (traceparent) => {
    const answer = await create({ traceparent });
    const requestId = String(answer.headers['x-request-id']).replaceAll('-', '');
    expect((await eventOf(answer.body.id)).traceparent).toMatch(new RegExp(`^00-${requestId}-`));
  });
});

test.each([
  ['an answer', 200, '/api/v1/me'],
  ['a page', 200, '/'],
  ['a refusal', 422, '/api/v1/tasks?limit=0'],
  ['an unknown address', 404, '/nowhere'],
  ['an address that cannot be decoded', 400, '/api/v1/tasks/%ff'],
])('%s carries the security headers', async (_what, status, url) => {
  const answer = await ada.ask('GET', url);
  expect(answer.status).toBe(status);
  expect(answer.headers).toMatchObject({
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
    'content-security-policy': expect.stringContaining("default-src 'none'"),
    'x-request-id': expect.stringMatching(UUID_V7),
  });
  expect(answer.headers).not.toHaveProperty('x-powered-by');
});

describe('methods', () => {
  test.each([
    ['PUT', '/api/v1/tasks', 'GET, HEAD, POST'],
    ['DELETE', '/api/v1/tasks', 'GET, HEAD, POST'],
    ['GET', '/api/v1/auth/login', 'POST'],
    ['POST', '/api/v1/me', 'GET, HEAD, PATCH'],
    ['POST', '/api/v1/tasks/01939d5e-0000-7000-8000-00000000dead', 'DELETE, GET, HEAD, PATCH'],
    ['OPTIONS', '/openapi.json', 'GET, HEAD'],
    ['POST', '/api/v1/me?a=b', 'GET, HEAD, PATCH'],
  ])('%s %s is 405 with Allow: %s', async (method, url, allow) => {
    const answer = await ada.ask(method, url);
    expectProblem(answer, 405, 'method-not-allowed');
    expect(String(answer.headers.allow).split(', ').toSorted().join(', ')).toBe(allow);
  });

  test.each([
    ['GET', '/openapiXjson'],
    ['PUT', '/openapiXjson'],
    ['GET', '/api/v1'],
    ['GET', '/api/v2/tasks'],
    ['POST', '/nowhere'],
    ['GET', '/docs/../../etc/passwd'],
    ['GET', '//api/v1/me'],
  ])('%s %.40s is 404', async (method, url) => {
    expectProblem(await ada.ask(method, url), 404, 'not-found');
  });

  test.each(['text/plain', 'application/json'])('an unknown address is 404 whatever %s is sent there', async (type) => {
    const answer = await ada.ask('POST', '/nowhere', { raw: '{', headers: { 'content-type': type } });
    expectProblem(answer, 404, 'not-found');
  });

  test('HEAD answers what GET does, without the body', async () => {
    const [get, head] = [await ada.ask('GET', '/api/v1/me'), await ada.ask('HEAD', '/api/v1/me')];
    expect(head.status).toBe(200);
    expect(head.headers.etag).toBe(get.headers.etag);
    expect(head.headers['content-length']).toBe(get.headers['content-length']);
    expect((await product.ask('HEAD', '/api/v1/me')).status).toBe(401);
  });
});

describe('what Node itself cannot read', () => {
  let port: number;
  beforeAll(async () => {
    await product.app.http.listen({ port: 0, host: '127.0.0.1' });
    const address = product.app.http.server.address();
    port = typeof address === 'object' && address ? address.port : 0;
  });
  const send = (text: string | Buffer) =>
    new Promise<{ head: string; body: Record<string, unknown> }>((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => socket.write(text));
      let received = '';
      socket.on('data', (data) => {
        received += data;
      });
      socket.on('error', reject);
      socket.on('close', () => {
        const [head = '', body = ''] = received.split('\r\n\r\n', 2);
        resolve({ head, body: JSON.parse(body) });
      });
    });

  test.each([
    ['no HTTP', 'hello\r\n\r\n', 400, 'malformed-request'],
    ['an unknown method', 'FOO / HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'malformed-request'],
    ['a raw NUL in the address', 'GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'malformed-request'],
    [
      'two lengths',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
      400,
      'malformed-request',
    ],
    [
      'a length beside chunks',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
      'malformed-request',
    ],
    [
      'headers of 17 kB',
      `GET / HTTP/1.1\r\nHost: a\r\nX-Long: ${'x'.repeat(17_000)}\r\n\r\n`,
      431,
      'headers-too-large',
    ],
    ['an address of 17 kB', `GET /${'x'.repeat(17_000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 431, 'headers-too-large'],
  ])('%s is refused with a problem too', async (_what, text, status, code) => {
    const { head, body } = await send(text);
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    const header = (name: string) => new RegExp(`^${name}: (.*)$`, 'im').exec(head)?.[1];
    const headers = { 'content-type': header('content-type'), 'x-request-id': header('x-request-id') };
    expectProblem({ status, headers, body }, status, code);
  });

  test('a request that comes while the server stops is told to come back', async () => {
    const stopping = await startTestApp();
    await stopping.app.http.listen({ port: 0, host: '127.0.0.1' });
    const address = stopping.app.http.server.address();
    const at = typeof address === 'object' && address ? address.port : 0;
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    let accepted: Socket | undefined;
    stopping.app.http.server.once('connection', (connection) => {
      accepted = connection;
    });
    const socket = connect(at, '127.0.0.1');
    let received = '';
    socket.on('data', (data) => {
      received += data;
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(received));
    // Half a request keeps the connection busy over the beginning of the stop.
    socket.write('GET /api/v1/me HTTP/1.1\r\nHost: a\r\n');
    await until('half of it to be read', () => (accepted?.bytesRead ?? 0) > 0);
    const closed = stopping.close();
    await new Promise((done) => setTimeout(done, 300));
    socket.write('\r\n');
    const [head = '', body = ''] = (await promise).split('\r\n\r\n', 2);
    await closed;
    expect(head).toMatch(/^HTTP\/1.1 503 /);
    expect(head).toMatch(/^retry-after: \d+$/im);
    expect(JSON.parse(body)).toMatchObject({ code: 'unavailable', status: 503 });
  });

  test('a body that is larger than it says, or than is read, is cut off with 413', async () => {
    const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
    const headers = { authorization: `Bearer ${ada.token}`, 'content-type': 'application/json' };
    const request = overHttp({ port, path: '/api/v1/tasks', method: 'POST', headers }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    request.on('error', reject);
    request.end(`{"title":"${'x'.repeat(270_000)}"}`);
    expect(await promise).toBe(413);
  });
});
