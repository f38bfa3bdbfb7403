import { createServer } from 'node:net';
import { expect, test } from 'vitest';
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

test('a server that lets us in and throws us out in one breath is unavailable, and ends nobody’s process', async () => {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end(Buffer.concat([WELCOME, FAREWELL])));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const database = openDatabase({
    address: { host: '127.0.0.1', port, database: 'd', user: 'u', password: '' },
    schema: 'public',
    statementTimeout: 500,
    applicationName: 'test',
    connections: 1,
  });
  await expect(database.read({ name: 'one', text: 'select 1' }, [])).rejects.toThrow(DatabaseUnavailable);
  await expect(database.read({ name: 'one', text: 'select 1' }, [])).rejects.toThrow(DatabaseUnavailable);
  await database.close();
  server.close();
});
