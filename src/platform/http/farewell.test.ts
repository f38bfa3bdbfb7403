import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import Fastify from 'fastify';
import { expect, test } from 'vitest';
import { takeLeave, tellWhenLeaving } from './farewell.ts';

/** A client of one connection at a time: what an answer says of it, and its number. */
const clientOf = (port: number) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const sockets = new Set<unknown>();
  return async () => {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingHttpHeaders>();
    request({ port, agent }, (response) => void json(response).then(() => resolve(response.headers), reject))
      .on('socket', (socket) => void sockets.add(socket))
      .on('error', reject)
      .end();
    const { connection, 'keep-alive': kept } = await promise;
    return { connection, kept, nth: sockets.size };
  };
};

test('no connection is closed while others are let in; then each is, behind its next answer', async () => {
  let isLeaving = false;
  const app = Fastify({ forceCloseConnections: 'idle' });
  tellWhenLeaving(app, () => isLeaving);
  app.get('/', async () => ({}));
  await app.listen({ port: 0, host: '127.0.0.1' });
  const ask = clientOf((app.server.address() as AddressInfo).port);
  expect(await ask()).toEqual({ connection: 'keep-alive', kept: 'timeout=5', nth: 1 });

  isLeaving = true;
  const left = takeLeave(app);
  let last = await ask();
  for (; last.connection === 'keep-alive'; last = await ask()) {
    await pause(20);
    expect(last).toEqual({ connection: 'keep-alive', kept: 'timeout=3', nth: 1 });
  }
  expect(last).toEqual({ connection: 'close', kept: undefined, nth: 1 });
  await expect(ask()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  await left;
});
