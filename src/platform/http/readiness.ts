/** What a process refuses as long as it waits for what it needs: it listens from the start, so that it can say so. */
import type { FastifyInstance } from 'fastify';
import type { Readiness } from '../lifecycle/readiness.ts';
import { RETRY_AFTER } from './errors.ts';
import { refuse } from './problems.ts';

/** For the routes of this scope: 503 until then. */
export const refuseUntilReady = (scope: FastifyInstance, readiness: Readiness): void => {
  scope.addHook('onRequest', (_request, _reply, done) => {
    done(readiness.waitsFor() === undefined ? undefined : refuse('unavailable', { headers: RETRY_AFTER }));
  });
};
