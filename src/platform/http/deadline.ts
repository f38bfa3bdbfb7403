/** Nothing is begun for which nobody waits any more: a request may have lain somewhere longer than its sender would. */
import type { FastifyInstance } from 'fastify';
import { refuse } from './problems.ts';

/** ms that were left when it was sent; by whoever asks on behalf of somebody else. */
export const DEADLINE_HEADER = 'x-deadline-ms';

/** After all checks and waits, right before the handler. What it answers is read by nobody, and counted by us. */
export const beginInTime = (scope: FastifyInstance): void => {
  scope.addHook('preHandler', (request, reply, done) => {
    const left = Number(request.headers[DEADLINE_HEADER] ?? Number.POSITIVE_INFINITY);
    const isLate = reply.elapsedTime > left || request.raw.socket.destroyed;
    done(isLate ? refuse('unavailable') : undefined);
  });
};
