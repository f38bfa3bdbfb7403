/** Services that fail in every way that a service can: what their clients see of it, and what they see of their clients. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { get, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { asking } from '../e2e/support/client.ts';
import { freePort } from '../support/free-port.ts';
import { until } from '../support/until.ts';
import { answerJson, newToken, openGateway, type StandIn, standIn } from './bed.ts';

let token: string;
let user: StandIn;
let task: StandIn;
let gateway: Awaited<ReturnType<typeof openGateway>>;
let ask: ReturnType<typeof asking>;
const closing: (() => Promise<void>)[] = [];
/** Copies of the task service behind one gateway. */
const open = async (...copies: readonly StandIn[]): Promise<void> => {
  gateway = await openGateway({ user: user.url, task: copies.map(({ url }) => url).join(',') });
  closing.push(() => gateway.close('at-once'), ...copies.map((copy) => () => copy.stop()));
  ask = asking(gateway.url, token);
  expect((await ask('GET', '/api/v1/me')).status).toBe(200); // the keys of tokens are known
};
beforeEach(async () => {
  [token, user, task] = [await newToken(), await standIn(), await standIn()];
  closing.push(() => user.stop());
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

const drop = (request: IncomingMessage): void => void request.socket.destroy();
const states = async (): Promise<readonly string[]> => {
  const parts = (await ask('GET', '/health')).body?.parts as Record<string, { copies: { breaker: string }[] }>;
  return parts['gateway.task']?.copies.map(({ breaker }) => breaker) ?? [];
};

describe('a request whose answer is lost', () => {
  beforeEach(async () => {
    let first = true;
    task.handle = (request, response) => {
      if (first) drop(request);
      else answerJson(response, 200, { twice: true });
      first = false;
    };
    user.handle = drop;
    await open(task).catch(() => undefined);
  });
  test('is asked again where it changes nothing, or carries a key', async () => {
    const key = { 'idempotency-key': 'k' };
    expect((await ask('POST', '/api/v1/tasks', { body: { title: 'a' }, headers: key })).body).toEqual({ twice: true });
    expect(task.seen.map(({ headers, body }) => [headers['idempotency-key'], body])).toEqual([
      ['k', '{"title":"a"}'],
      ['k', '{"title":"a"}'],
    ]);
  });
  test('is not where it may have been done: who asks is told that it is not known', async () => {
    const lost = await ask('POST', '/api/v1/tasks', { body: { title: 'a' } });
    expect([lost.status, lost.body?.code]).toEqual([502, 'service-failed']);
    expect(task.seen).toHaveLength(1);
  });
  test('is not under a key that its service does not honour', async () => {
    const lost = await ask('POST', '/api/v1/auth/login', { body: {}, headers: { 'idempotency-key': 'k' } });
    expect(lost.status).toBe(502);
    expect(user.seen.filter(({ url }) => url === '/api/v1/auth/login')).toHaveLength(1);
  });
});

/** As our services do: with its length. */
const endUnknown = (_: IncomingMessage, response: ServerResponse): void => {
  const problem = JSON.stringify({ status: 503, code: 'outcome-unknown' });
  response.writeHead(503, { 'content-type': 'application/problem+json', 'content-length': problem.length });
  response.end(problem);
};
const unknown = [
  ['was lost', drop],
  ['has no known end', endUnknown],
] as const;
test.each(unknown)('what %s is not called undone because its repetition is refused', async (_what, first) => {
  task.handle = (request, response) => {
    if (task.seen.length === 1) first(request, response);
    else answerJson(response, 503, { code: 'unavailable' });
  };
  await open(task);
  const write = await ask('POST', '/api/v1/tasks', { body: {}, headers: { 'idempotency-key': 'k' } });
  expect([write.status, write.body?.code]).toEqual([502, 'service-failed']);
  expect(task.seen.length).toBeGreaterThan(1);
});
test('what a service refuses again and again is called undone as ever, and so is a read', async () => {
  task.handle = (request, response) => {
    if (request.method === 'GET' && task.seen.length === 1) drop(request);
    else answerJson(response, 503, { code: 'unavailable' });
  };
  await open(task);
  const read = await ask('GET', '/api/v1/tasks');
  const write = await ask('POST', '/api/v1/tasks', { body: {}, headers: { 'idempotency-key': 'k' } });
  for (const { status, body } of [read, write]) expect([status, body?.code]).toEqual([503, 'unavailable']);
});

describe('a service that flaps', () => {
  test('sees at most half as much again as its clients ask, however it fails', async () => {
    const failures = [drop, (_: IncomingMessage, response: ServerResponse) => answerJson(response, 503)];
    for (const share of [0.5, 1]) {
      for (const failure of failures) {
        const flapping = await standIn();
        let n = 0;
        flapping.handle = (request, response) => {
          n += 1;
          if (n % 10 < share * 10) failure(request, response);
          else answerJson(response, 200);
        };
        await open(flapping);
        const asked = 200;
        for (let round = 0; round < asked / 20; round += 1)
          await Promise.all(
            Array.from({ length: 20 }, (_, i) =>
              i % 2
                ? ask('GET', '/api/v1/tasks')
                : ask('POST', '/api/v1/tasks', { body: {}, headers: { 'idempotency-key': `${round}.${i}` } }),
            ),
          );
        expect(flapping.seen.length).toBeLessThanOrEqual(1.5 * asked);
        expect(flapping.seen.length, 'it was asked').toBeGreaterThan(0);
        await gateway.close('at-once');
      }
    }
  });
});

describe('a client that waits for a few ms', () => {
  test('costs itself its answer, and nobody else theirs', async () => {
    task.handle = (_, response) => void setTimeout(() => answerJson(response, 200), 100);
    await open(task);
    const hasty = Array.from({ length: 30 }, () => ask('GET', '/api/v1/tasks', { headers: { 'x-deadline-ms': '5' } }));
    expect(new Set((await Promise.all(hasty)).map(({ status }) => status))).toEqual(new Set([504]));
    expect(await states()).toEqual(['closed']);
    expect((await ask('GET', '/api/v1/tasks')).status).toBe(200);
  });
});

describe('a service that is away', () => {
  test('costs its own requests alone, and is found again within 10 s of its return', async () => {
    await open(task);
    await task.stop();
    const refused = await ask('POST', '/api/v1/tasks', { body: {} });
    expect([refused.status, refused.body?.code, refused.headers.get('retry-after')]).toEqual([
      503,
      'service-away',
      '1',
    ]);
    expect(JSON.stringify(refused.body)).not.toMatch(new RegExp(`${task.port}|127\\.0\\.0|ECONN`));
    await until('its breaker to open', async () => (await states())[0] === 'open');
    expect((await ask('GET', '/api/v1/me')).status).toBe(200);
    expect((await ask('GET', '/health/ready')).status).toBe(200);
    const health = await ask('GET', '/health');
    expect([health.status, health.body?.status]).toEqual([200, 'degraded']);
    expect(JSON.stringify(health.body)).not.toContain(String(task.port));
    await task.start();
    await until('it to be asked again', async () => (await states())[0] === 'closed', 10_000);
    expect((await ask('POST', '/api/v1/tasks', { body: {} })).status).toBe(200);
  });
  test('is not noticed where it has another copy, whatever is asked', async () => {
    const other = await standIn();
    await open(task, other);
    await task.stop();
    const answers = await Promise.all(Array.from({ length: 40 }, () => ask('POST', '/api/v1/tasks', { body: {} })));
    expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
    expect(other.seen).toHaveLength(40);
  });
  test('answers 503 at once, and not after a while, once that is known', async () => {
    await open(task);
    await task.stop();
    await until('its breaker to open', async () => (await states())[0] === 'open');
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask('GET', '/api/v1/tasks')));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([503]));
    expect(task.seen).toEqual([]);
  });
});

describe('copies', () => {
  test('that are not ready yet get nothing of a gateway that has just begun', async () => {
    const other = await standIn();
    task.ready = false;
    task.handle = (_request, response) => answerJson(response, 503);
    gateway = await openGateway({ user: user.url, task: [task.url, other.url].join() });
    closing.push(() => gateway.close('at-once'), task.stop, other.stop);
    ask = asking(gateway.url, token);
    const answers = await Promise.all(Array.from({ length: 10 }, () => ask('POST', '/api/v1/tasks', { body: {} })));
    expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
    expect(other.seen).toHaveLength(10);
  });
  test('share what is asked; one that is not ready, or leaves, gets nothing as long as another serves', async () => {
    const other = await standIn();
    await open(task, other);
    await Promise.all(Array.from({ length: 20 }, () => ask('GET', '/api/v1/tasks')));
    expect(Math.min(task.seen.length, other.seen.length)).toBeGreaterThan(4);
    task.ready = false;
    const before = () => [task.seen.length, other.seen.length];
    await until('the probe to see it', async () => {
      const [one = 0, two = 0] = before();
      await Promise.all(Array.from({ length: 4 }, () => ask('GET', '/api/v1/tasks')));
      return task.seen.length === one && other.seen.length === two + 4;
    });
    other.ready = false;
    await pause(1_200); // two probes: now neither is ready, and both are asked rather than nobody
    expect((await ask('GET', '/api/v1/tasks')).status).toBe(200);
  });
  test('are found by a name that stands for several, and forgotten when it does not any more', async () => {
    const port = await freePort();
    const [one, two] = [await standIn('127.0.0.1', port), await standIn('127.0.0.2', port)];
    let addresses = ['127.0.0.1', '127.0.0.2'];
    const lookUp = async () => addresses.map((address) => ({ address, family: 4 }));
    gateway = await openGateway({ user: user.url, task: `http://tasks.example:${port}` }, {}, lookUp);
    closing.push(() => gateway.close('at-once'), one.stop, two.stop);
    ask = asking(gateway.url, token);
    for (let n = 0; n < 10; n += 1) await ask('GET', '/api/v1/tasks');
    expect(Math.min(one.seen.length, two.seen.length)).toBeGreaterThan(2);
    const before = one.seen.length;
    expect(one.seen[0]?.headers.host).toBe(`tasks.example:${port}`);
    addresses = ['127.0.0.2'];
    await until('the first to be forgotten', async () => (await states()).length === 1);
    for (let n = 0; n < 10; n += 1) await ask('GET', '/api/v1/tasks');
    expect([one.seen.length, two.seen.length]).toEqual([before, 20 - before]);
  });
});

describe('time', () => {
  test('that a client gives is passed on, and nobody works on after it is over', async () => {
    const broken = new Promise<void>((resolve) => {
      task.handle = (request) => void request.socket.once('close', resolve); // and never an answer
    });
    await open(task);
    const late = await ask('GET', '/api/v1/tasks', { headers: { 'x-deadline-ms': '2000' } });
    expect([late.status, late.body?.code]).toEqual([504, 'service-late']);
    const given = Number(task.seen[0]?.headers['x-deadline-ms']);
    expect(given).toBeGreaterThan(0);
    expect(given).toBeLessThanOrEqual(2_000);
    await broken;
    expect(task.seen, 'what took too long once is not begun again').toHaveLength(1);
  });
  test('is ten seconds where the client says nothing, or more', async () => {
    await open(task);
    for (const more of [{}, { 'x-deadline-ms': '9999999' }, { 'x-deadline-ms': 'soon' }]) {
      await ask('GET', '/api/v1/tasks', { headers: more });
      const given = Number(task.seen.at(-1)?.headers['x-deadline-ms']);
      expect(given).toBeGreaterThan(5_000);
      expect(given).toBeLessThanOrEqual(10_000);
    }
  });
});

describe('a client that goes', () => {
  test('takes its request along', async () => {
    let broken = false;
    task.handle = (request) =>
      void request.socket.once('close', () => {
        broken = true;
      });
    await open(task);
    const client = new AbortController();
    const answer = fetch(`${gateway.url}/api/v1/tasks`, {
      signal: client.signal,
      headers: { authorization: `Bearer ${token}` },
    });
    await until('the service to be asked', () => task.seen.length === 1);
    client.abort();
    await expect(answer).rejects.toThrow('aborted');
    await until('the service to be left alone, long before the time is over', () => broken, 5_000);
    expect((await states())[0]).toBe('closed');
  });
  test('in the middle of a body has asked for nothing', async () => {
    await open(task);
    const socket = connect(gateway.port, '127.0.0.1');
    socket.write(
      `POST /api/v1/tasks HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\nContent-Length: 100\r\n\r\n{"title":`,
    );
    await ask('GET', '/api/v1/me'); // it was read by then
    socket.destroy();
    await ask('GET', '/api/v1/tasks');
    expect(task.seen.map(({ method }) => method)).toEqual(['GET']);
  });
});

describe('an answer that is long', () => {
  const PART = Buffer.alloc(64 * 1024, 'abcdefgh');
  const PARTS = 640; // 40 MB
  /** Streams as fast as it is read; tells how much was taken from it. */
  const streaming = (taken: { bytes: number }) => (_request: IncomingMessage, response: ServerResponse) => {
    const parts = function* () {
      for (let n = 0; n < PARTS; n += 1) {
        taken.bytes += PART.length;
        yield PART;
      }
    };
    response.writeHead(200, { 'content-type': 'application/octet-stream' });
    pipeline(Readable.from(parts()), response).catch(() => undefined); // the client has gone
  };
  const request = (): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      get(`${gateway.url}/api/v1/tasks`, { headers: { authorization: `Bearer ${token}` } }, resolve).on(
        'error',
        reject,
      );
    });

  test('flows as it is read: who reads slowly is not read ahead for', async () => {
    const taken = { bytes: 0 };
    task.handle = streaming(taken);
    await open(task);
    const answer = await request();
    await until('the flow to stand', async () => {
      const before = taken.bytes;
      await pause(300);
      return before > 0 && taken.bytes === before;
    });
    expect(taken.bytes, 'what lies in buffers on the way').toBeLessThan(20 * 1024 * 1024);
    const hash = createHash('sha256');
    for await (const part of answer) hash.update(part);
    const whole = createHash('sha256');
    for (let n = 0; n < PARTS; n += 1) whole.update(PART);
    expect(hash.digest('hex')).toBe(whole.digest('hex'));
  });
  test('and breaks off is no whole one for the client either', async () => {
    task.handle = (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/plain' });
      response.write('the beginning', () => response.destroy());
    };
    await open(task);
    const answer = await fetch(`${gateway.url}/api/v1/tasks`, { headers: { authorization: `Bearer ${token}` } });
    expect(answer.status).toBe(200);
    await expect(answer.text()).rejects.toThrow('terminated');
    expect(task.seen).toHaveLength(1);
  });
  test('is not made any more for a client that has gone', async () => {
    const taken = { bytes: 0 };
    let closed = false;
    task.handle = (request, response) => {
      request.socket.once('close', () => {
        closed = true;
      });
      streaming(taken)(request, response);
    };
    await open(task);
    const answer = await request();
    await once(answer, 'readable');
    answer.destroy();
    await until('the service to be left alone', () => closed);
    expect(taken.bytes).toBeLessThan(PARTS * PART.length);
  });
});

describe('an answer that is short', () => {
  const half = (response: ServerResponse): void =>
    void response.writeHead(200, { 'content-type': 'application/json', 'content-length': 20 }).write('{"half":');
  test('and breaks off is a lost one, and asked for again where that is safe', async () => {
    let n = 0;
    task.handle = (request, response) => {
      n += 1;
      if (n > 2) return answerJson(response, 200, { whole: true });
      half(response);
      setTimeout(() => drop(request), 50);
    };
    await open(task);
    const lost = await ask('POST', '/api/v1/tasks', { body: {} });
    expect([lost.status, lost.body?.code]).toEqual([502, 'service-failed']);
    expect((await ask('GET', '/api/v1/tasks')).body).toEqual({ whole: true });
  });
  test('and is not all there in time is late', async () => {
    task.handle = (_request, response) => half(response);
    await open(task);
    const late = await ask('GET', '/api/v1/tasks', { headers: { 'x-deadline-ms': '400' } });
    expect([late.status, late.body?.code]).toEqual([504, 'service-late']);
  });
});

test('told to stop, it serves on for a while, not ready, and finishes what it has begun', async () => {
  task.handle = (_request, response) => void setTimeout(() => answerJson(response, 200, { late: true }), 800);
  await open(task);
  const slow = ask('GET', '/api/v1/tasks');
  await until('it to be asked', () => task.seen.length === 1);
  const closed = gateway.close('slowly');
  const ready = await ask('GET', '/health/ready');
  expect([ready.status, ready.headers.get('keep-alive')]).toEqual([503, 'timeout=3']);
  expect((await ask('GET', '/api/v1/me')).status).toBe(200);
  expect((await slow).body).toEqual({ late: true });
  await closed;
  await expect(ask('GET', '/health/live')).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } });
});
