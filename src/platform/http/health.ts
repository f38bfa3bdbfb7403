/** How a process says how it is. Parts answer for themselves; what they say to the outside names no address. */
import { oneLook } from '../lifecycle/one-look.ts';
import type { HttpApp } from './server.ts';

type PartHealth = {
  readonly status: 'ok' | 'degraded' | 'down';
  readonly detail?: string;
  /** Of a service that hears of others: where each of its consumers stands. */
  readonly consumers?: readonly object[];
};
/** Asks one part. What does not answer within a second is down if it is a database, and else degraded. */
export type HealthCheck = () => Promise<PartHealth>;
export type HealthChecks = Readonly<Record<string, HealthCheck>>;

const PATIENCE = 1_000;

/** `notServing` says why the process serves nobody just now, beyond what its parts say: it waits for something, or stops. */
export const serveHealth = (app: HttpApp, parts: HealthChecks, notServing: () => string | undefined): void => {
  const checks: HealthChecks = Object.fromEntries(Object.entries(parts).map(([name, check]) => [name, oneLook(check)]));
  const hidden = { config: { access: 'public' as const, limits: 'none' as const }, schema: { hide: true } };
  const report = async (wanted: HealthChecks) => {
    const names = Object.keys(wanted);
    const answers = await Promise.all(Object.entries(wanted).map(([name, check]) => ask(check, worstOf(name))));
    const parts = Object.fromEntries(names.map((name, n) => [name, answers[n]]));
    const worst =
      (['down', 'degraded'] as const).find((status) => answers.some((part) => part.status === status)) ?? 'ok';
    return { status: worst, parts };
  };
  for (const [path, pick] of [
    ['/health', () => checks],
    ['/health/db', () => partsOf(checks, 'db')],
    ['/health/events', () => partsOf(checks, 'events')],
  ] as const) {
    app.get(path, hidden, async (_request, reply) => {
      const health = await report(pick());
      return reply.code(health.status === 'down' ? 503 : 200).send(health);
    });
  }
  app.get('/health/live', hidden, async () => ({ status: 'ok' })); // asks nobody: a restart would not bring a database back
  app.get('/health/ready', hidden, async (_request, reply) => {
    const detail = notServing();
    if (detail !== undefined)
      return reply.code(503).send({ status: 'down', parts: { process: { status: 'down', detail } } });
    // Commands and reads go on while events wait.
    const health = await report(partsOf(checks, 'db'));
    return reply.code(health.status === 'down' ? 503 : 200).send(health);
  });
};

/** Those of a kind: `db.task` is the task service's database. */
const partsOf = (checks: HealthChecks, kind: string): HealthChecks =>
  Object.fromEntries(Object.entries(checks).filter(([name]) => name.startsWith(`${kind}.`)));

/** What waits to be heard or sent is no reason to send people elsewhere. */
const worstOf = (name: string) => (name.startsWith('db.') ? 'down' : 'degraded');

const ask = async (check: HealthCheck, worst: 'down' | 'degraded'): Promise<PartHealth> => {
  const { promise: late, resolve } = Promise.withResolvers<PartHealth>();
  const timer = setTimeout(() => resolve({ status: worst, detail: 'no answer within a second' }), PATIENCE);
  try {
    return await Promise.race([check(), late]);
  } catch {
    return { status: worst, detail: 'not reachable' }; // which error it was is in the log, not in public
  } finally {
    clearTimeout(timer);
  }
};
