/** Whoever begins a request and does not finish it holds a connection for as long as is said, and no longer. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';

let product: TestApp;
let port: number;
beforeAll(async () => {
  product = await startTestApp();
  port = Number(new URL(await product.app.http.listen({ host: '127.0.0.1', port: 0 })).port);
});
afterAll(() => product.close());

const cutAfter = async (beginning: string): Promise<{ seconds: number; answer: string }> => {
  const began = performance.now();
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.on('data', (data) => {
    answer += data;
  });
  socket.write(beginning);
  await once(socket, 'close');
  return { seconds: (performance.now() - began) / 1000, answer };
};

test('half of the headers, and half of a body, are answered as too slow after 30 s', async () => {
  const cut = await Promise.all([
    cutAfter('GET / HTTP/1.1\r\nHost: x\r\n'),
    cutAfter(
      'POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{"a"',
    ),
  ]);
  for (const { seconds, answer } of cut) {
    expect(seconds).toBeGreaterThan(29);
    expect(seconds).toBeLessThan(35);
    expect(answer).toContain('408');
    expect(answer).toContain('request-too-slow');
  }
});
