/** All services behind one HTTP server, ready to listen or to be injected into: what a process and a test share. */
import { createTokenVerifier } from '#platform/auth/tokens.ts';
import { type Config, databaseOf } from '#platform/config/config.ts';
import type { Secrets } from '#platform/config/secrets.ts';
import { describeRoutes, serveDocs } from '#platform/http/docs.ts';
import { serveHealth } from '#platform/http/health.ts';
import { createHttpApp, type HttpApp } from '#platform/http/server.ts';
import { serveWelcome } from '#platform/http/welcome.ts';
import { killAt } from '#platform/lifecycle/fail-points.ts';
import type { DatabaseAddress } from '#platform/sql/connection.ts';
import type { Logger } from '#platform/telemetry/logger.ts';
import { openTaskService } from '#services/task/service.ts';
import { openUserService } from '#services/user/service.ts';

export type App = {
  readonly http: HttpApp;
  /** Answers what is under way, refuses what is new, and lets go of the database. */
  close(): Promise<void>;
};

/** Connects to nothing yet; the schemas must be migrated before the first request. */
export const buildApp = async (
  config: Config,
  secrets: Secrets,
  shared: DatabaseAddress,
  logger: Logger,
): Promise<App> => {
  const where = (service: 'USER' | 'TASK') => ({
    address: databaseOf(config, service, shared),
    keysAddress: databaseOf(config, 'KEYS', shared),
    failPoint: killAt(config.FAIL_POINT),
  });
  const user = await openUserService(config, secrets, where('USER'));
  const services = [user, openTaskService(secrets, where('TASK'))];
  let stopping = false;

  const keySet = async () => user.keySet;
  const http = await createHttpApp({ verifier: createTokenVerifier(keySet, config.PUBLIC_URL), logger });
  await describeRoutes(http, {
    title: 'Taskwire',
    version: '0.1.0',
    description: 'Users and tasks as event-sourced services.',
    server: config.PUBLIC_URL,
  });
  for (const { routes } of services) http.register(async (scope) => routes(scope), { prefix: '/api/v1' });
  http.get('/.well-known/jwks.json', { config: { access: 'public' }, schema: { hide: true } }, keySet);
  const checks = Object.fromEntries(services.map(({ name, health }) => [`db.${name}`, health]));
  serveHealth(http, checks, () => stopping);
  serveWelcome(http);
  serveDocs(http, Object.assign({}, ...services.map(({ problems }) => problems)));
  await http.ready();

  return {
    http,
    close: async () => {
      stopping = true;
      await http.close();
      await Promise.all(services.map((service) => service.close()));
    },
  };
};
