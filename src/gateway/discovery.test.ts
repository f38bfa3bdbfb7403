import { expect, test } from 'vitest';
import { addressesOf } from './discovery.ts';

const answers =
  (...addresses: readonly string[]) =>
  async () =>
    addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
const nobody = async () => {
  throw new Error('a name was asked for');
};

test('an address stands for itself', async () => {
  expect(await addressesOf('http://10.0.0.1:8001', nobody)).toEqual([
    { origin: 'http://10.0.0.1:8001', host: '10.0.0.1:8001' },
  ]);
  expect(await addressesOf('http://[::1]:8001', nobody)).toEqual([{ origin: 'http://[::1]:8001', host: '[::1]:8001' }]);
});

test('a name stands for each of its addresses, and goes along as Host', async () => {
  expect(await addressesOf('http://task:8002', answers('10.0.0.1', '10.0.0.2'))).toEqual([
    { origin: 'http://10.0.0.1:8002', host: 'task:8002' },
    { origin: 'http://10.0.0.2:8002', host: 'task:8002' },
  ]);
  expect(await addressesOf('https://task.example.org', answers('10.0.0.1'))).toEqual([
    { origin: 'https://10.0.0.1', host: 'task.example.org' },
  ]);
});

test('a name with addresses of both families stands for the IPv4 ones', async () => {
  const both = await addressesOf('http://localhost:8002', answers('::1', '127.0.0.1'));
  expect(both.map(({ origin }) => origin)).toEqual(['http://127.0.0.1:8002']);
  expect((await addressesOf('http://six:1', answers('fd00::1'))).map(({ origin }) => origin)).toEqual([
    'http://[fd00::1]:1',
  ]);
});

test('a name that nobody knows is no place', () =>
  expect(addressesOf('http://task:8002', nobody)).rejects.toThrow('a name was asked for'));
