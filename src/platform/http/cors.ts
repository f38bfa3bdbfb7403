/** Which web pages of other origins may ask here (CORS): those that are named, and nobody else. */
import type { FastifyInstance } from 'fastify';

const METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE';
const REQUEST_HEADERS =
  'Authorization, Consistency-Token, Content-Type, Idempotency-Key, If-Match, If-None-Match, Traceparent, X-Deadline-Ms, X-Request-Id';
/** What a script may read of an answer, besides what it always may. */
const ANSWER_HEADERS =
  'Consistency-Token, ETag, Idempotency-Replayed, Location, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id';
const REMEMBERED = 600;
const NO_CONTENT = 204;

/**
 * Must come before what refuses unknown addresses: a preflight asks for an address with a method that no route has. No
 * credentials: a page sends its token itself, so no cookie of ours has any business in another origin's requests.
 */
export const allowOrigins = (app: FastifyInstance, origins: readonly string[]): void => {
  if (origins.length === 0) return;
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('vary', 'Origin');
    const { origin, 'access-control-request-method': wanted } = request.headers;
    if (origin === undefined || !origins.includes(origin)) return done();
    reply.headers({ 'access-control-allow-origin': origin, 'access-control-expose-headers': ANSWER_HEADERS });
    if (request.method !== 'OPTIONS' || wanted === undefined) return done();
    reply.code(NO_CONTENT).headers({
      'access-control-allow-methods': METHODS,
      'access-control-allow-headers': REQUEST_HEADERS,
      'access-control-max-age': String(REMEMBERED),
    });
    reply.send();
  });
};
