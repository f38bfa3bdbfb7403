/**
 * Keep-alive HTTP/1.1 load over bare sockets. autocannon, once each request differs, took twice the CPU (27 µs a
 * request against 14), which on two cores is the server's; and it counts latencies in whole milliseconds.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface LoadOptions {
  readonly port: number;
  readonly connections: number;
  readonly seconds: number;
  /** The next request as it goes over the wire; undefined ends the load early. */
  readonly next: () => string | undefined;
  readonly onBody?: (body: string) => void;
}

export interface Load {
  readonly seconds: number;
  readonly latencies: readonly number[];
}

/** Resolves when all answers are in; rejects at the first answer that is not 2xx. */
export async function drive(options: LoadOptions): Promise<Load> {
  const sockets = await Promise.all(Array.from({ length: options.connections }, () => open(options.port)));
  const latencies: number[] = [];
  const start = performance.now();
  try {
    const end = start + options.seconds * 1000;
    await Promise.all(sockets.map((socket) => converse(socket, options, end, latencies)));
    return { seconds: (performance.now() - start) / 1000, latencies };
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}

async function open(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  return socket;
}

function converse(socket: Socket, { next, onBody }: LoadOptions, end: number, latencies: number[]): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let received = '';
  let sentAt = 0;
  const send = () => {
    sentAt = performance.now();
    const request = sentAt < end ? next() : undefined;
    if (request === undefined) resolve();
    else socket.write(request, 'latin1');
  };
  const receive = (chunk: string) => {
    received += chunk;
    const answer = parse(received);
    if (answer === undefined) return;
    latencies.push(performance.now() - sentAt);
    received = '';
    onBody?.(answer.body);
    send();
  };
  socket.setEncoding('latin1');
  socket.on('data', (chunk: string) => {
    try {
      receive(chunk);
    } catch (error) {
      reject(error);
    }
  });
  socket.on('error', reject);
  socket.on('close', () => reject(new Error('the service closed a connection')));
  send();
  return promise;
}

const CONTENT_LENGTH = /\r\ncontent-length: *(\d+)/i;

/** Undefined while the answer is incomplete. Every service under test states the length of its bodies. */
function parse(text: string): { body: string } | undefined {
  const headEnd = text.indexOf('\r\n\r\n');
  if (headEnd < 0) return undefined;
  const head = text.slice(0, headEnd);
  const length = CONTENT_LENGTH.exec(head)?.[1];
  if (length === undefined) throw new Error(`an answer without a length: ${head}`);
  const body = text.slice(headEnd + 4);
  if (body.length < Number(length)) return undefined;
  if (head[9] !== '2') throw new Error(`answered ${head.slice(9, 12)} ${body}`);
  return { body };
}
