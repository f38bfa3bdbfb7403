/** What Node could not read as a request never becomes one: it is answered here, by hand, as a problem too. */
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { newId } from '../keys/ids.ts';
import { problemDocument } from './errors.ts';
import { refuse } from './problems.ts';

/**
 * For what Node gave up parsing: writes the problem to the socket by hand, and closes it. A peer that has gone gets
 * nothing.
 */
export const answerUnreadable = (error: Error & { readonly code?: string }, socket: Socket): void => {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  const refusal = refuse(codeOf(error.code));
  const id = newId();
  const { status } = refusal.problem;
  const body = problemDocument(refusal, { id, url: '/', traceId: id.replaceAll('-', '') });
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'content-type: application/problem+json',
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${id}`,
    'connection: close',
  ];
  if (socket.writable) socket.write(`${head.join('\r\n')}\r\n\r\n${body}`);
  socket.destroy(error);
};

const codeOf = (code: string | undefined) => {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return 'headers-too-large';
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return 'request-too-slow';
    default:
      return 'malformed-request';
  }
};
