/** Who may call a route is said by the route itself; one that does not say it stops the start. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Principal, TokenVerifier } from '../auth/tokens.ts';
import type { Logger } from '../telemetry/logger.ts';
import { refuse } from './problems.ts';

type Access = 'public' | 'user';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** public: anybody; user: whoever has a valid access token. */
    access?: Access;
  }
  interface FastifyRequest {
    principal: Principal | undefined;
  }
}

export const guardRoutes = (app: FastifyInstance, verifier: TokenVerifier, logger: Logger): void => {
  app.decorateRequest('principal', undefined);
  app.addHook('onRoute', ({ config, method, url }) => {
    if (config?.access === undefined) throw new Error(`${method} ${url} does not say who may call it`);
  });
  app.addHook('onRequest', async (request) => {
    if (request.is404 || request.routeOptions.config.access === 'public') return;
    const [scheme, token, ...more] = (request.headers.authorization ?? '').split(' ');
    const wellFormed = scheme?.toLowerCase() === 'bearer' && token && more.length === 0;
    const verified = wellFormed ? await verifier.verify(token) : { refused: 'no bearer token' };
    if ('refused' in verified) {
      logger.debug('a token was refused', { requestId: request.id, reason: verified.refused });
      throw refuse('unauthenticated', { headers: { 'www-authenticate': 'Bearer' } });
    }
    request.principal = verified;
  });
};

/** Who calls; for routes whose access is not public. */
export const principalOf = (request: FastifyRequest): Principal => {
  if (request.principal === undefined) throw refuse('unauthenticated', { headers: { 'www-authenticate': 'Bearer' } });
  return request.principal;
};
