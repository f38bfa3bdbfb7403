/** What a process counts, at /metrics: for those who watch over it, and nobody else. */
import type { FastifyInstance } from 'fastify';
import { exposition } from '../telemetry/collectors.ts';
import { metrics, registry, watchProcess } from '../telemetry/metrics.ts';
import type { HttpApp } from './server.ts';

/** Counts each request under its route's pattern; what leads nowhere under none. */
export const measureRequests = (app: FastifyInstance): void => {
  app.addHook('onResponse', (request, reply, done) => {
    const { method } = request;
    const route = request.is404 ? 'none' : (request.routeOptions.url ?? 'none');
    metrics.httpRequests.inc({ method, route, status: `${Math.floor(reply.statusCode / 100)}xx` });
    metrics.httpSeconds.observe({ method, route }, reply.elapsedTime / 1_000);
    done();
  });
};

/** `tell` answers in Prometheus' text format; by default what this process says of itself. */
export const serveMetrics = (app: HttpApp, tell: () => Promise<string> = exposition): void => {
  watchProcess();
  app.get('/metrics', { config: { access: 'operator', limits: 'none' }, schema: { hide: true } }, async (_, reply) =>
    reply.type(registry.contentType).send(await tell()),
  );
};
