/** All services behind one HTTP server, ready to listen or to be injected into: what a process and a test share. */
import { createTokenVerifier } from '#platform/auth/tokens.ts';
import type { Config } from '#platform/config/config.ts';
import type { Secrets } from '#platform/config/secrets.ts';
import { describeRoutes, serveDocs } from '#platform/http/docs.ts';
import { serveHealth } from '#platform/http/health.ts';
import { createHttpApp, type HttpApp } from '#platform/http/server.ts';
import { serveWelcome } from '#platform/http/welcome.ts';
import type { DatabaseAddress } from '#platform/sql/connection.ts';
import type { Logger } from '#platform/telemetry/logger.ts';
import { openTaskService, TASK_SERVICE } from '#services/task/service.ts';
import { openUserService, USER_SERVICE } from '#services/user/service.ts';
import { whereIs } from './installation.ts';

const DESCRIPTION = `Users and tasks as event-sourced services.

- Send \`Authorization: Bearer <accessToken>\`; \`POST /api/v1/auth/login\` answers one.
- Every single resource has an \`ETag\`, the version of it; send it back as \`If-Match\` to change only what you saw.
- Send an \`Idempotency-Key\` with a write, and repeating it is safe for 24 hours.
- A PATCH is a merge-patch: \`null\` clears a field. \`due\` is one value, replaced whole.
- Every refusal is a problem document; [its code](/problems) says what to do about it.`;

export type App = {
  readonly http: HttpApp;
  /** Answers what is under way, refuses what is new, and lets go of the database. */
  close(): Promise<void>;
};

/** ms: every request is answered sooner; who is connected longer has not sent all of theirs, and may never. */
const DRAIN = 5_000;

/** Connects to nothing yet; the schemas must be migrated before the first request. */
export const buildApp = async (
  config: Config,
  secrets: Secrets,
  shared: DatabaseAddress,
  logger: Logger,
): Promise<App> => {
  const user = await openUserService(config, secrets, whereIs(USER_SERVICE, config, shared));
  const services = [user, openTaskService(secrets, whereIs(TASK_SERVICE, config, shared))];
  let stopping = false;

  const keySet = async () => user.keySet;
  const http = await createHttpApp({ verifier: createTokenVerifier(keySet, config.PUBLIC_URL), logger });
  await describeRoutes(http, {
    title: 'Taskwire',
    version: '0.1.0',
    description: DESCRIPTION,
    server: config.PUBLIC_URL,
  });
  for (const { routes } of services) http.register(async (scope) => routes(scope), { prefix: '/api/v1' });
  http.get('/.well-known/jwks.json', { config: { access: 'public' }, schema: { hide: true } }, keySet);
  const checks = Object.fromEntries(services.map(({ name, health }) => [`db.${name}`, health]));
  serveHealth(http, checks, () => stopping);
  serveWelcome(http, config.PUBLIC_URL);
  serveDocs(http, Object.assign({}, ...services.map(({ problems }) => problems)));
  await http.ready();

  return {
    http,
    close: async () => {
      stopping = true;
      const patience = setTimeout(() => http.server.closeAllConnections(), DRAIN);
      await http.close().finally(() => clearTimeout(patience));
      await Promise.all(services.map((service) => service.close()));
    },
  };
};
