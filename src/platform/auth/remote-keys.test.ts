import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { refusalOf } from '../resilience/refusal.ts';
import { fetchAhead, remoteKeys } from './remote-keys.ts';

const key = (kid: string) => ({ kty: 'EC', crv: 'P-256', kid, x: 'x', y: 'y' });
const NOWHERE = 'http://127.0.0.1:1';

let issuer: Server;
let address: string;
let answer: { readonly status: number; readonly body: string };
let asked: number;
let now: number;
beforeEach(async () => {
  issuer = createServer((_request, response) => {
    asked += 1;
    response.writeHead(answer.status).end(answer.body);
  }).listen(0, '127.0.0.1');
  await once(issuer, 'listening');
  address = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}`;
  serve(key('one'));
  asked = 0;
  now = 0;
});
afterEach(() => issuer.close());

const serve = (...keys: readonly unknown[]): void => {
  answer = { status: 200, body: JSON.stringify({ keys }) };
};
const goAway = (): void => {
  answer = { status: 503, body: '' };
};
const open = (...addresses: readonly string[]) => {
  const source = remoteKeys(addresses.length > 0 ? addresses : [address], () => now);
  return async (kid: string): Promise<readonly (string | undefined)[] | string | undefined> => {
    try {
      return (await source(kid)).keys.map((one) => one.kid);
    } catch (error) {
      return refusalOf(error);
    }
  };
};

test('keys are fetched once for all that ask, at once or later', async () => {
  const keys = open();
  expect(await Promise.all([keys('one'), keys('one'), keys('other')])).toEqual([['one'], ['one'], ['one']]);
  expect(await keys('one')).toEqual(['one']);
  expect(asked).toBe(1);
});

test('a key that is not known is looked for, no more often than every 5 s', async () => {
  const keys = open();
  await keys('one');
  serve(key('two'), key('one'));
  expect(await keys('two')).toEqual(['one']);
  now += 5_000;
  expect(await keys('two')).toEqual(['two', 'one']);
  for (let n = 0; n < 100; n += 1) await keys(`made up ${n}`);
  expect(asked).toBe(2);
});

test('keys that were fetched are trusted while nobody answers, and looked for again once they are old', async () => {
  const keys = open();
  await keys('one');
  goAway();
  now += 10 * 60_000;
  expect(await keys('one')).toEqual(['one']);
  expect(await keys('two'), 'whether there is a new one is not known').toBe('unavailable');
  serve(key('two'));
  now += 1_000;
  expect(await keys('two')).toEqual(['two']);
});

test('before any were fetched nobody is accepted or refused, and the one who issues is not pestered', async () => {
  const keys = open();
  goAway();
  const all = () => Promise.all(Array.from({ length: 10 }, () => keys('one')));
  for (let n = 1; n <= 2; n += 1) {
    expect(new Set(await all())).toEqual(new Set(['unavailable']));
    expect(asked).toBe(n);
  }
  serve(key('one'));
  expect(await keys('one'), 'whoever comes just after a look that failed').toEqual(['one']);
});

test('they are fetched ahead, as often as it takes, and not beyond the end', async () => {
  const source = remoteKeys([address]); // by the clock: it rests between two tries
  goAway();
  const ended = new AbortController();
  const ahead = fetchAhead(source, ended.signal);
  await expect.poll(() => asked, { timeout: 30_000 }).toBeGreaterThan(1);
  serve(key('one'));
  await ahead;
  goAway();
  expect((await source('one')).keys.map(({ kid }) => kid)).toEqual(['one']);

  const never = fetchAhead(remoteKeys([NOWHERE]), ended.signal);
  ended.abort();
  await never;
});

test('of copies, the first that answers is enough: none waits for one that hangs', async () => {
  const hanging = createServer(() => undefined).listen(0, '127.0.0.1');
  await once(hanging, 'listening');
  onTestFinished(() => void hanging.close());
  const { port } = hanging.address() as AddressInfo;
  const began = performance.now();
  expect(await open(NOWHERE, `http://127.0.0.1:${port}`, address)('one')).toEqual(['one']);
  expect(performance.now() - began, 'its patience was not needed').toBeLessThan(2_000);
  expect(await open(NOWHERE)('one')).toBe('unavailable');
});

test.each([
  ['no JSON', '<html>'],
  ['no key set', '[]'],
  ['no key', '{"keys":[]}'],
  ['no key of ours', '{"keys":[null,{"kty":"RSA","kid":"one"}]}'],
])('an answer that is %s is none', async (_what, body) => {
  answer = { status: 200, body };
  expect(await open()('one')).toBe('unavailable');
});
