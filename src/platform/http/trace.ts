/** Names for a request that follow it everywhere: its own id, and the trace it belongs to (W3C Trace Context). */
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { newId } from '../keys/ids.ts';
import { freshBytes } from '../keys/random.ts';
import { formats } from '../schema/formats.ts';
import { SECURITY_HEADERS } from './security-headers.ts';

type Trace = { readonly traceId: string; readonly traceparent: string };
declare module 'fastify' {
  interface FastifyRequest {
    trace: Trace;
  }
}

/** The caller's X-Request-Id when it is a UUID, else a new one. */
export const requestId = ({ headers }: Pick<IncomingMessage, 'headers'>): string => {
  const given = headers['x-request-id'];
  const id = typeof given === 'string' ? given.toLowerCase() : '';
  return formats.uuid(id) ? id : newId();
};

const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})$/;
/** The caller's trace continued with a span of ours, or a new one named after the request. */
const traceOf = (traceparent: unknown, requestId: string): Trace => {
  const [, traceId = requestId.replaceAll('-', ''), flags = '00'] = TRACEPARENT.exec(String(traceparent)) ?? [];
  return { traceId, traceparent: `00-${traceId}-${freshBytes(8).toString('hex')}-${flags}` };
};

export const nameRequests = (app: FastifyInstance): void => {
  app.decorateRequest('trace');
  app.addHook('onRequest', (request, reply, done) => {
    request.trace = traceOf(request.headers.traceparent, request.id);
    reply.headers(SECURITY_HEADERS).header('x-request-id', request.id);
    done();
  });
};
