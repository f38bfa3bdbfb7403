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

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly length: number;
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
  return new Promise((resolve, reject) => {
    let received = '';
    let sentAt = 0;
    const send = () => {
      sentAt = performance.now();
      const request = sentAt < end ? next() : undefined;
      if (request === undefined) resolve();
      else socket.write(request, 'latin1');
    };
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => {
      received += chunk;
      const answer = parse(received);
      if (answer === undefined) return;
      if (answer.status < 200 || answer.status > 299) return reject(new Error(`answered ${received.slice(0, 300)}`));
      latencies.push(performance.now() - sentAt);
      received = received.slice(answer.length);
      onBody?.(answer.body);
      send();
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the server closed a connection')));
    send();
  });
}

const CONTENT_LENGTH = /\r\ncontent-length: *(\d+)/i;

/** Undefined while the answer is incomplete. Every service under test states the length of its bodies. */
function parse(text: string): Answer | undefined {
  const headEnd = text.indexOf('\r\n\r\n');
  if (headEnd < 0) return undefined;
  const head = text.slice(0, headEnd);
  const status = Number(head.slice(9, 12));
  const stated = CONTENT_LENGTH.exec(head)?.[1];
  if (stated === undefined && status !== 204) throw new Error(`an answer without a length: ${head}`);
  const length = headEnd + 4 + Number(stated ?? 0);
  return text.length < length ? undefined : { status, body: text.slice(headEnd + 4, length), length };
}
