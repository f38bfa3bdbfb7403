/** How a process says how it is. Parts answer for themselves; what they say to the outside names no address. */
import type { HttpApp } from './server.ts';

type PartHealth = { readonly status: 'ok' | 'degraded' | 'down'; readonly detail?: string };
/** Asks one part; must answer within a second or count as down. */
export type HealthCheck = () => Promise<PartHealth>;
export type HealthChecks = Readonly<Record<string, HealthCheck>>;

const PATIENCE = 1_000;

export const serveHealth = (app: HttpApp, checks: HealthChecks, isStopping: () => boolean): void => {
  const hidden = { config: { access: 'public' as const }, schema: { hide: true } };
  const report = async (wanted: HealthChecks) => {
    const names = Object.keys(wanted);
    const answers = await Promise.all(Object.values(wanted).map(ask));
    const parts = Object.fromEntries(names.map((name, n) => [name, answers[n]]));
    const worst =
      (['down', 'degraded'] as const).find((status) => answers.some((part) => part.status === status)) ?? 'ok';
    return { status: worst, parts };
  };
  for (const [path, pick] of [
    ['/health', () => checks],
    ['/health/db', () => Object.fromEntries(Object.entries(checks).filter(([name]) => name.startsWith('db')))],
  ] as const) {
    app.get(path, hidden, async (_request, reply) => {
      const health = await report(pick());
      return reply.code(health.status === 'down' ? 503 : 200).send(health);
    });
  }
  app.get('/health/live', hidden, async () => ({ status: 'ok' })); // asks nobody: a restart would not bring a database back
  app.get('/health/ready', hidden, async (_request, reply) => {
    if (isStopping())
      return reply.code(503).send({ status: 'down', parts: { process: { status: 'down', detail: 'stopping' } } });
    const health = await report(checks);
    return reply.code(health.status === 'down' ? 503 : 200).send(health);
  });
};

const ask = async (check: HealthCheck): Promise<PartHealth> => {
  const { promise: late, resolve } = Promise.withResolvers<PartHealth>();
  const timer = setTimeout(() => resolve({ status: 'down', detail: 'no answer within a second' }), PATIENCE);
  try {
    return await Promise.race([check(), late]);
  } catch {
    return { status: 'down', detail: 'not reachable' }; // which error it was is in the log, not in public
  } finally {
    clearTimeout(timer);
  }
};
