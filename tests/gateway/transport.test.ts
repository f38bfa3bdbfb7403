/** How an attempt ended: whether it may have been done is what everything else is decided by. */
import diagnostics from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openTransport, type Transport } from '../../src/gateway/transport.ts';
import { type StandIn, standIn } from './bed.ts';

let service: StandIn;
let transport: Transport;
let taken: Promise<void>;
beforeEach(async () => {
  service = await standIn();
  transport = openTransport(service.url, 'tasks.example.org');
  taken = new Promise((resolve) => {
    service.handle = () => resolve(); // and never an answer
  });
});
afterEach(async () => {
  await transport.close(0);
  await service.stop();
});
const ask = () =>
  transport.attempt({ method: 'POST', path: '/', headers: {}, body: undefined }, 60_000, new AbortController().signal);

test('where nobody listens nothing was sent', async () => {
  await service.stop();
  expect(await ask()).toMatchObject({ kind: 'refused', error: { syscall: 'connect' } });
});

test('what was taken when the transport goes may have been done; what comes later was not sent', async () => {
  const asked = ask();
  await taken;
  const closed = transport.close(0);
  expect(await ask()).toMatchObject({ kind: 'refused', error: { code: 'UND_ERR_CLOSED' } });
  await closed;
  expect(await asked).toMatchObject({ kind: 'lost', error: { code: 'UND_ERR_DESTROYED' } });
});

/** As the system tells of a connection that stood, and whose other side cannot be reached any more. */
const LATER = [
  Object.assign(new Error('read ETIMEDOUT'), { errno: -110, code: 'ETIMEDOUT', syscall: 'read' }),
  Object.assign(new Error('write EHOSTUNREACH'), { errno: -113, code: 'EHOSTUNREACH', syscall: 'write' }),
];
test.each(LATER)('what was taken before $message may have been done', async (error) => {
  let connection: Socket | undefined;
  const note = (message: unknown) => {
    connection = (message as { readonly socket: Socket }).socket;
  };
  diagnostics.subscribe('undici:client:sendHeaders', note);
  const asked = ask();
  await taken;
  diagnostics.unsubscribe('undici:client:sendHeaders', note);
  connection?.destroy(error);
  expect(await asked).toMatchObject({ kind: 'lost', error: { code: error.code } });
});
