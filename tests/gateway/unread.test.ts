/** Clients that ask, and do not read what they are answered. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fastify from 'fastify';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createMemoryLimiter } from '../../src/platform/cache/limits.ts';
import { limitRates } from '../../src/platform/http/rate-limit.ts';
import { asking } from '../e2e/support/client.ts';
import { until } from '../support/until.ts';
import { answerJson, newToken, openGateway, type StandIn, standIn } from './bed.ts';

/** More than the system takes from a process for somebody who does not read. */
const LONG = Buffer.alloc(5 * 1024 * 1024, 'a');
const WELL = '"gateway.task":{"status":"ok","copies":[{"ready":true,"breaker":"closed"}]}';

let task: StandIn;
let user: StandIn;
let gateway: Awaited<ReturnType<typeof openGateway>>;
let token: string;
const sockets: Socket[] = [];
beforeEach(async () => {
  [token, user, task] = [await newToken(), await standIn(), await standIn()];
  task.handle = (request, response) => {
    if (request.url?.includes('limit=200')) response.end(LONG);
    else answerJson(response, 200, { short: true });
  };
  gateway = await openGateway({ user: user.url, task: task.url }, { RATE_LIMITS: 'on' });
  expect((await asking(gateway.url, token)('GET', '/api/v1/me')).status).toBe(200); // the keys of tokens are known
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await gateway.close('at-once');
  await Promise.all([user.stop(), task.stop()]);
});

/** Asks for something long, and reads nothing of it until it is resumed. */
const askLong = async (): Promise<Socket> => {
  const socket = connect(gateway.port, '127.0.0.1').on('error', () => undefined);
  sockets.push(socket);
  await once(socket, 'connect');
  socket.pause();
  socket.write(`GET /api/v1/tasks?limit=200 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\n\r\n`);
  return socket;
};
/** A socket that is not read hears of its end once it is written to. */
const isClosed = (socket: Socket): boolean => {
  if (!socket.destroyed) socket.write(' ');
  return socket.destroyed;
};

test('three hundred that do not read take nothing from others', async () => {
  await Promise.all(Array.from({ length: 300 }, askLong));
  await until('the service to be asked by most', () => task.seen.length >= 200);
  const ask = asking(gateway.url, await newToken());
  const isServed = async () => (await ask('GET', '/api/v1/tasks', { patience: 60_000 })).status === 200;
  await until('all but 128 to be closed', () => sockets.filter((socket) => !isClosed(socket)).length <= 128, 120_000);
  // Those that waited for it and were late yet count against it for a moment.
  await until('the service to be free again', async () => {
    for (let n = 0; n < 5; n += 1) if (!(await isServed())) return false;
    return true;
  });
  const isWell = async () => JSON.stringify((await ask('GET', '/health')).body?.parts).includes(WELL);
  await until('the service to be seen as it is', isWell);
});

test('who reads nothing for a minute is let go; who reads slowly is not', async () => {
  expect(gateway.http.server.timeout).toBe(60_000);
  gateway.http.server.setTimeout(10_000);
  const [idle, slow] = [await askLong(), await askLong()];
  const began = performance.now();
  let read = 0;
  for await (const part of slow) {
    read += part.length;
    if (read > LONG.length) break;
    await pause(part.length / 400); // 400 kB a second
  }
  expect(performance.now() - began, 'it took longer than the other had').toBeGreaterThan(10_000);
  await until('the other to be let go', () => isClosed(idle));
});

test('whoever left before their answer began leaves nothing behind', async () => {
  const app = fastify();
  limitRates(app, { limiter: createMemoryLimiter() });
  const replies: WeakRef<object>[] = [];
  let left = 0;
  const { promise: allLeft, resolve: answer } = Promise.withResolvers<void>();
  app.get('/', async (_request, reply) => {
    replies.push(new WeakRef(reply));
    reply.raw.once('close', () => {
      left += 1;
    });
    await allLeft;
    return { late: true };
  });
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  const leaving = new AbortController();
  const asked = Array.from({ length: 20 }, () => fetch(url, { signal: leaving.signal }).catch(() => 'gone'));
  await until('all of them to be asked', () => replies.length === 20);
  leaving.abort();
  expect(new Set(await Promise.all(asked))).toEqual(new Set(['gone']));
  await until('the server to hear that they left', () => left === 20);
  answer();
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  await until('them to be let go', () => {
    collect();
    return replies.every((reply) => reply.deref() === undefined);
  });
  await app.close();
});
