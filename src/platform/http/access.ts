/** Who may call a route is said by the route itself; one that does not say it stops the start. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Principal, TokenVerifier } from '../auth/tokens.ts';
import type { Config } from '../config/config.ts';
import type { Logger } from '../telemetry/logger.ts';
import { refuse } from './problems.ts';

type Access = 'public' | 'user' | 'operator';
/** Who watches over the process: whoever carries this token, or everybody, or nobody. */
export type Operators = { readonly token: string } | 'everybody' | 'nobody';
/** Without METRICS_TOKEN: nobody in production, everybody elsewhere. */
export const operatorsOf = ({
  METRICS_TOKEN: token,
  production,
}: Pick<Config, 'METRICS_TOKEN' | 'production'>): Operators =>
  token === undefined ? (production ? 'nobody' : 'everybody') : { token };

declare module 'fastify' {
  interface FastifyContextConfig {
    /** public: anybody; user: whoever has a valid access token; operator: whoever watches over the process. */
    access?: Access;
  }
  interface FastifyRequest {
    principal: Principal | undefined;
  }
}

/**
 * Throws for a route that is added without an access. Sets `request.principal` on routes of users; throws
 * `unauthenticated` before a body is read.
 */
export const guardRoutes = (app: FastifyInstance, { verifier, logger, operators }: Doorkeeper): void => {
  app.decorateRequest('principal', undefined);
  app.addHook('onRoute', ({ config, method, url }) => {
    if (config?.access === undefined) throw new Error(`${method} ${url} does not say who may call it`);
  });
  app.addHook('onRequest', async (request) => {
    const { access } = request.routeOptions.config;
    if (request.is404 || access === 'public') return;
    const token = bearerOf(request);
    if (access === 'operator') {
      if (isOperator(operators, token)) return;
      throw refuse('unauthenticated', { headers: { 'www-authenticate': 'Bearer' } });
    }
    const verified = token === undefined ? { refused: 'no bearer token' } : await verifier.verify(token);
    if ('refused' in verified) {
      logger.debug('a token was refused', { requestId: request.id, reason: verified.refused });
      throw refuse('unauthenticated', { headers: { 'www-authenticate': 'Bearer' } });
    }
    request.principal = verified;
  });
};

type Doorkeeper = { readonly verifier: TokenVerifier; readonly logger: Logger; readonly operators: Operators };

const bearerOf = ({ headers }: FastifyRequest): string | undefined => {
  const [scheme, token, ...more] = (headers.authorization ?? '').split(' ');
  return scheme?.toLowerCase() === 'bearer' && token && more.length === 0 ? token : undefined;
};

const isOperator = (operators: Operators, token: string | undefined): boolean => {
  if (typeof operators === 'string') return operators === 'everybody';
  // Hashed first, for texts of one length are compared in one time.
  return token !== undefined && timingSafeEqual(hashOf(token), hashOf(operators.token));
};
const hashOf = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Who calls; for routes whose access is that of users. */
export const principalOf = (request: FastifyRequest): Principal => {
  if (request.principal === undefined) throw refuse('unauthenticated', { headers: { 'www-authenticate': 'Bearer' } });
  return request.principal;
};

/**
 * The id of who calls, by the type that their service gives it. The user service put it into the token, and the token was
 * verified: so it is one.
 */
export const requesterId = <Id extends string>(request: FastifyRequest): Id => principalOf(request).userId as Id;
