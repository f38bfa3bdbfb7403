import { type AddressInfo, createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { instantOf } from './connection.ts';
import { openDatabase } from './database.ts';
import { DatabaseUnavailable } from './errors.ts';

test.each([
  ['2026-11-24 09:00:00+00', '2026-11-24T09:00:00.000Z'],
  ['2026-11-24 09:00:00.1+00', '2026-11-24T09:00:00.100Z'],
  ['2026-11-24 09:00:00.12+00', '2026-11-24T09:00:00.120Z'],
  ['2026-11-24 09:00:00.123456+00', '2026-11-24T09:00:00.123456Z'],
])('the server’s %s is the instant %s', (text, instant) => {
  expect(instantOf(text)).toBe(instant);
});

/** A message of PostgreSQL's protocol: its letter, its length, its body. */
const message = (letter: string, body: Buffer | string): Buffer => {
  const bytes = Buffer.from(body);
  const head = Buffer.alloc(5);
  head.write(letter);
  head.writeUInt32BE(bytes.length + 4, 1);
  return Buffer.concat([head, bytes]);
};
const WELCOME = Buffer.concat([message('R', Buffer.alloc(4)), message('Z', 'I')]);
const FAREWELL = message('E', 'SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0');

const NO_ROWS = Buffer.concat(['1', '2', 'n'].map((letter) => message(letter, '')));
const DONE = Buffer.concat([NO_ROWS, message('C', 'SELECT 0\0'), message('Z', 'I')]);

/** A server that does so with whoever connects, and a database of one connection on it. */
const against = async (serve: (socket: Socket, n: number) => void) => {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.on('error', () => undefined);
    serve(socket, connections);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const database = openDatabase({
    address: { host: '127.0.0.1', port, database: 'd', user: 'u', password: '' },
    schema: 'public',
    statementTimeout: 500,
    applicationName: 'test',
    connections: 1,
  });
  onTestFinished(async () => {
    await database.close();
    server.close();
  });
  return { read: () => database.read({ name: 'one', text: 'select 1' }, []), connections: () => connections };
};

test('a server that lets us in and throws us out in one breath is unavailable, and ends nobody’s process', async () => {
  const { read } = await against((socket) => socket.once('data', () => socket.end(Buffer.concat([WELCOME, FAREWELL]))));
  await expect(read()).rejects.toThrow(DatabaseUnavailable);
  await expect(read()).rejects.toThrow(DatabaseUnavailable);
});

test('a connection that was bidden farewell is asked no more, though its end has yet to arrive', async () => {
  const { read, connections } = await against((socket, n) => {
    socket.once('data', () => {
      socket.write(WELCOME);
      socket.on('data', () => socket.write(n === 1 ? FAREWELL : DONE));
    });
  });
  expect(await read()).toEqual([]);
  expect(connections()).toBe(2);
});
