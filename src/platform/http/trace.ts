/** Names for a request that follow it everywhere: its own id, and the trace it belongs to (W3C Trace Context). */
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { newId } from '../keys/ids.ts';
import { formats } from '../schema/formats.ts';
import { contextIn } from '../telemetry/trace-context.ts';
import { beginSpan, type Span } from '../telemetry/tracing.ts';
import { SECURITY_HEADERS } from './security-headers.ts';

type Trace = { readonly traceId: string; readonly traceparent: string; readonly span: Span };
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

/** The caller's trace continued with a span of ours, or a new one named after the request. */
const traceOf = ({ headers, id, method, protocol, routeOptions }: FastifyRequest): Trace => {
  const { traceparent, tracestate } = headers;
  const parent = typeof traceparent === 'string' ? traceparent : undefined;
  const traceId = contextIn(parent)?.traceId ?? id.replaceAll('-', '');
  const span = beginSpan(method, {
    kind: 'server',
    parent,
    traceId,
    tracestate: typeof tracestate === 'string' ? tracestate : undefined,
    recorded: routeOptions.config.limits !== 'none',
    attributes: { 'http.request.method': method, 'url.scheme': protocol, 'taskwire.request.id': id },
  });
  return { traceId, traceparent: span.traceparent, span };
};

/**
 * Every request has an id, a trace and a span from its first hook on; the answer carries the id, and the security
 * headers.
 */
export const nameRequests = (app: FastifyInstance): void => {
  app.decorateRequest('trace');
  app.addHook('onRequest', (request, reply, done) => {
    request.trace = traceOf(request);
    reply.headers(SECURITY_HEADERS).header('x-request-id', request.id);
    done();
  });
  app.addHook('onResponse', ({ trace, method, is404, routeOptions }, { statusCode }, done) => {
    const route = is404 ? undefined : routeOptions.url;
    if (route !== undefined) trace.span.rename(`${method} ${route}`);
    trace.span.set({ 'http.route': route, 'http.response.status_code': statusCode });
    trace.span.end(statusCode >= BROKEN ? String(statusCode) : undefined);
    done();
  });
};
/** From here on it is our fault. */
const BROKEN = 500;
