/** The HTTP server of any process of ours: one set of conventions, into which services put their routes. */
import helmet from '@fastify/helmet';
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
import { guardRoutes } from './access.ts';
import { readJsonBodies } from './body.ts';
import { answerErrors, sendProblem } from './errors.ts';
import { invalidInput, refuse } from './problems.ts';
import { nameRequests, requestId } from './trace.ts';

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
const PARTS: Readonly<Record<string, string>> = { query: '/query', params: '/path' };

export const createHttpApp = async (options: {
  readonly verifier: TokenVerifier;
  readonly logger: Logger;
}): Promise<HttpApp> => {
  const { verifier, logger } = options;
  const app = Fastify({
    logger: false,
    bodyLimit: BODY_LIMIT,
    genReqId: requestId,
    routerOptions: { maxParamLength: 200 },
    forceCloseConnections: 'idle',
    requestTimeout: 30_000,
    return503OnClosing: true,
    // A path that cannot be decoded never reaches a route; it gets the same kind of answer.
    frameworkErrors: (error, request, reply) => {
      request.trace ??= { traceId: request.id.replaceAll('-', ''), traceparent: '' };
      logger.debug('a request could not be routed', { requestId: request.id, code: error.code });
      void sendProblem(request, reply, refuse('malformed-request'));
    },
  }).withTypeProvider<TypeBoxTypeProvider>();

  const validators = { body: createValidator({ coerce: false }), other: createValidator({ coerce: true }) };
  app.setValidatorCompiler(({ schema, httpPart }) =>
    validators[httpPart === 'body' ? 'body' : 'other'].compile(schema as object),
  );
  // JSON.stringify is fast; a serializer made from a schema with unions validates again, and drops what it does not know.
  app.setSerializerCompiler(() => JSON.stringify);

  readJsonBodies(app);
  nameRequests(app);
  app.addHook('preValidation', async ({ query, params }) => {
    for (const [part, values] of Object.entries({ query, params })) {
      for (const [name, value] of Object.entries(values as Record<string, unknown>)) {
        if ([value].flat().every((text) => typeof text !== 'string' || (isStorable(text) && !text.includes('\ufffd'))))
          continue;
        throw invalidInput({
          pointer: `${PARTS[part]}/${name}`,
          code: 'not-text',
          detail: 'must be valid UTF-8 without NUL',
        });
      }
    }
  });
  app.addHook('onResponse', async (request, reply) => {
    logger.info('request', {
      requestId: request.id,
      traceId: request.trace?.traceId,
      method: request.method,
      route: request.routeOptions.url ?? '-',
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime * 10) / 10,
      ...(request.principal && { userId: request.principal.userId }),
    });
  });
  await app.register(helmet, {
    contentSecurityPolicy: {
      directives: {
        defaultSrc: ["'none'"],
        frameAncestors: ["'none'"],
        styleSrc: ["'unsafe-inline'"],
        upgradeInsecureRequests: null,
      },
    },
    strictTransportSecurity: false, // said by whoever ends TLS in front of us
  });
  guardRoutes(app, verifier, logger);
  answerErrors(app, logger);
  answerUnknownRoutes(app);
  return app;
};

/** 404, or 405 with what would be allowed when the address is right and the method is not. */
const answerUnknownRoutes = (app: FastifyInstance): void => {
  const methods = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }) => {
    const known = methods.get(url) ?? new Set();
    for (const one of [method].flat()) known.add(one);
    methods.set(url, known);
  });
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0] ?? '';
    const matches = [...methods].filter(([url]) =>
      new RegExp(`^${url.replace(/:\w+/g, '[^/]+').replace('*', '.*')}$`).test(path),
    );
    const allowed = [...new Set(matches.flatMap(([, known]) => [...known]))];
    const refusal =
      allowed.length > 0
        ? refuse('method-not-allowed', { headers: { allow: allowed.join(', ') } })
        : refuse('not-found');
    return sendProblem(request, reply, refusal);
  });
};
