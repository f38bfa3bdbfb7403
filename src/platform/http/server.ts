/** The HTTP server of any process of ours: one set of conventions, into which services put their routes. */
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type RawReplyDefaultExpression,
  type RawRequestDefaultExpression,
  type RawServerDefault,
} from 'fastify';
import type { TokenVerifier } from '../auth/tokens.ts';
import { isStorable } from '../schema/text.ts';
import { createValidator } from '../schema/validator.ts';
import type { Logger } from '../telemetry/logger.ts';
import { guardRoutes, type Operators } from './access.ts';
import { readJsonBodies } from './body.ts';
import { allowOrigins } from './cors.ts';
import { answerErrors, RETRY_AFTER } from './errors.ts';
import { measureRequests } from './metrics.ts';
import { invalidInput, refuse } from './problems.ts';
import { limitRates, type RateLimits } from './rate-limit.ts';
import { nameRequests, requestId } from './trace.ts';
import { answerUnreadable } from './unreadable.ts';

/** What routes are declared on: schemas give the types of params, query and body. */
export type HttpApp = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;
/** A service's routes, mounted under /api/v1. */
export type Routes = (app: HttpApp) => void;

const BODY_LIMIT = 256 * 1024;
/** Of all that a request is made of, headers and body; the problem request-too-slow names it. */
const REQUEST_TIMEOUT = 30_000;
/** ms in which a connection carries nothing either way. Who reads slowly has an answer for as long as it takes. */
const NO_PROGRESS = 60_000;

/**
 * A server with every convention installed (ids, limits, access, bodies, errors) and no route. Does not listen. Routes
 * are added before `ready()`.
 */
export const createHttpApp = async (options: {
  readonly verifier: TokenVerifier;
  readonly logger: Logger;
  /** None where they are switched off. */
  readonly limits?: RateLimits | undefined;
  /** Of which other origins web pages may ask here. */
  readonly origins?: readonly string[] | undefined;
  /** Who may say in X-Forwarded-For whom they speak for: addresses and networks, with commas between. */
  readonly trustedProxies?: string | undefined;
  /** Who may ask what the process counts; by default nobody. */
  readonly operators?: Operators | undefined;
}): Promise<HttpApp> => {
  const { verifier, logger, limits, origins = [], trustedProxies, operators = 'nobody' } = options;
  const app = Fastify({
    logger: false,
    bodyLimit: BODY_LIMIT,
    genReqId: requestId,
    // Long ones are the schemas' to refuse, with a pointer; Node reads no address above 16 kB.
    routerOptions: { maxParamLength: 16_384 },
    forceCloseConnections: 'idle',
    requestTimeout: REQUEST_TIMEOUT,
    connectionTimeout: NO_PROGRESS,
    trustProxy: trustedProxies ?? false,
    // Node looks every 30 s by default, and takes the longer of the two timeouts for the whole request.
    http: { headersTimeout: REQUEST_TIMEOUT, connectionsCheckingInterval: 1_000 },
    // Fastify's own answers to these four are no problem documents, and pass by every hook.
    return503OnClosing: false,
    rewriteUrl: ({ url = '/' }) => (isDecodable(url) ? url : UNDECODABLE),
    clientErrorHandler: answerUnreadable,
  }).withTypeProvider<TypeBoxTypeProvider>();

  const validators = { body: createValidator({ coerce: false }), other: createValidator({ coerce: true }) };
  app.setValidatorCompiler(({ schema, httpPart }) =>
    validators[httpPart === 'body' ? 'body' : 'other'].compile(schema as object),
  );
  // JSON.stringify is fast; a serializer made from a schema with unions validates again, and drops what it does not know.
  app.setSerializerCompiler(() => JSON.stringify);

  readJsonBodies(app);
  nameRequests(app);
  refuseUnstorableText(app);
  app.addHook('onResponse', (request, reply, done) => {
    logger.info('request', {
      requestId: request.id,
      traceId: request.trace?.traceId,
      method: request.method,
      route: request.routeOptions.url ?? '-',
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime * 10) / 10,
      ...(request.principal && { userId: request.principal.userId }),
    });
    done();
  });
  measureRequests(app);
  allowOrigins(app, origins);
  refuseWhileStopping(app);
  refuseUnknownRoutes(app);
  if (limits) limitRates(app, limits);
  guardRoutes(app, { verifier, logger, operators });
  answerErrors(app, logger);
  return app;
};

/** What a body's reader sees to for bodies: a decoder that gave up left U+FFFD behind. */
const refuseUnstorableText = (app: FastifyInstance): void => {
  const isText = (value: unknown) => typeof value !== 'string' || (isStorable(value) && !value.includes('\ufffd'));
  const check = (prefix: string, values: unknown) => {
    for (const [name, value] of Object.entries(values as Record<string, unknown>)) {
      if (Array.isArray(value) ? value.every(isText) : isText(value)) continue;
      throw invalidInput({ pointer: `${prefix}/${name}`, code: 'not-text', detail: 'must be valid UTF-8 without NUL' });
    }
  };
  app.addHook('preValidation', (request, _reply, done) => {
    check('/query', request.query);
    check('/path', request.params);
    done();
  });
};

/** Where an address is led that cannot be decoded; no route is called so, and nobody can ask for it. */
const UNDECODABLE = '/ ';
const isDecodable = (url: string): boolean => {
  if (!url.includes('%')) return true;
  try {
    decodeURIComponent(url);
    return true;
  } catch (error) {
    if (error instanceof URIError) return false;
    throw error;
  }
};

/** A connection that stays open over the beginning of a stop may still bring requests; what they need is going away. */
const refuseWhileStopping = (app: FastifyInstance): void => {
  let stopping = false;
  app.addHook('preClose', async () => {
    stopping = true;
  });
  app.addHook('onRequest', (_request, _reply, done) => {
    done(stopping ? refuse('unavailable', { headers: RETRY_AFTER }) : undefined);
  });
};

/**
 * 404, or 405 with what would be allowed when the address is right and the method is not. A hook, not a handler: that
 * would come after the body was read, which nobody asked for.
 */
const refuseUnknownRoutes = (app: FastifyInstance): void => {
  const methods = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }) => {
    const known = methods.get(url) ?? new Set();
    for (const one of [method].flat()) known.add(one);
    methods.set(url, known);
  });
  const notAllowed = (allowed: Iterable<string>) =>
    refuse('method-not-allowed', { headers: { allow: [...allowed].join(', ') } });
  app.addHook('onRequest', async (request) => {
    const path = request.url.split('?', 1)[0] ?? '';
    // An address of its own (`/tasks/trash`) is not taken for one with a parameter (`/tasks/:id`).
    const own = methods.get(path);
    if (own !== undefined && !own.has(request.method)) throw notAllowed(own);
    if (!request.is404) return;
    if (request.url === UNDECODABLE) throw refuse('malformed-request');
    const matches = [...methods].filter(([url]) => leadsTo(url, path));
    const allowed = [...new Set(matches.flatMap(([, known]) => [...known]))];
    if (allowed.length === 0) throw refuse('not-found');
    throw notAllowed(allowed);
  });
};

/** Whether a route's pattern (`/tasks/:id`, `/docs/*`) fits an address. */
const leadsTo = (pattern: string, path: string): boolean => {
  const [wanted, given] = [pattern.split('/'), path.split('/')];
  const open = wanted.at(-1) === '*';
  if (open ? given.length < wanted.length : given.length !== wanted.length) return false;
  return wanted.every((part, n) => part === given[n] || part === '*' || (part.startsWith(':') && given[n] !== ''));
};
