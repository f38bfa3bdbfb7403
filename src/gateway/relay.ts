/** The gateway's own routes: what comes in under a prefix goes on to the service that answers for it, and comes back. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { DEADLINE_HEADER } from '#platform/http/deadline.ts';
import type { HttpApp } from '#platform/http/server.ts';
import { answerHeaders, requestHeaders } from './headers.ts';
import type { Route, ServiceName } from './route-table.ts';
import { discard } from './transport.ts';
import { Cancelled, type Question, type Upstream } from './upstream.ts';

export type Upstreams = Readonly<Record<ServiceName, Upstream>>;

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];
/** ms that a request may take in all, unless its client says less. Services answer within five, whatever is away. */
const DEADLINE = 10_000;

/** Mounted in a scope of its own: bodies are passed on as they are, whole, and read by the service alone. */
export const relayRoutes = (scope: HttpApp, routes: readonly Route[], upstreams: Upstreams): void => {
  scope.removeAllContentTypeParsers();
  // Whole, and bounded by the server's limit: so one that is never sent to its end reaches nobody, its length is what we
  // count and not what a header says, and it can be sent a second time.
  scope.addContentTypeParser('*', { parseAs: 'buffer' }, async (_request: FastifyRequest, body: Buffer) => body);
  for (const route of routes) {
    const { prefix, access, limits } = route;
    const config = { access, ...(limits && { limits }) };
    for (const url of [prefix, `${prefix}/*`]) {
      scope.route({
        method: METHODS,
        url,
        config,
        schema: { hide: true },
        handler: (request, reply) => passOn(request, reply, route, upstreams[route.service]),
      });
    }
  }
};

const passOn = async (
  request: FastifyRequest,
  reply: FastifyReply,
  route: Route,
  upstream: Upstream,
): Promise<FastifyReply> => {
  try {
    const answer = await upstream.ask({
      ...questionOf(request, goneWith(reply)),
      method: request.method,
      path: request.originalUrl,
      body: Buffer.isBuffer(request.body) && request.body.length > 0 ? request.body : undefined,
      keyed: route.keyed && request.headers['idempotency-key'] !== undefined,
    });
    reply.code(answer.status).headers(answerHeaders(answer.headers));
    if (request.method !== 'HEAD') return reply.send(answer.body);
    await discard(answer, DEADLINE);
    return reply.send(null);
  } catch (error) {
    if (!(error instanceof Cancelled)) throw error;
    reply.hijack(); // there is nobody to answer
    reply.raw.destroy();
    return reply;
  }
};

/** Aborted when the client has gone before it had all of its answer. */
export const goneWith = ({ raw }: FastifyReply): AbortSignal => {
  const gone = new AbortController();
  raw.once('close', () => {
    if (!raw.writableFinished) gone.abort();
  });
  return gone.signal;
};

/** What every question carries on of the request that led to it. */
export const questionOf = (
  request: FastifyRequest,
  gone: AbortSignal,
): Pick<Question, 'headers' | 'deadline' | 'gone'> => {
  const given = Number(request.headers[DEADLINE_HEADER]);
  const { id: requestId, trace, ip: address, host, protocol } = request;
  return {
    headers: requestHeaders(request.headers, { requestId, traceparent: trace.traceparent, address, host, protocol }),
    deadline: performance.now() + (given > 0 ? Math.min(given, DEADLINE) : DEADLINE),
    gone,
  };
};
