/** Everything in one process: the database, the services, and the one port behind which they answer. */
import { createTokenVerifier } from '#platform/auth/tokens.ts';
import { type Config, databaseOf, readConfig } from '#platform/config/config.ts';
import { readSecrets } from '#platform/config/secrets.ts';
import { describeRoutes, serveDocs } from '#platform/http/docs.ts';
import { serveHealth } from '#platform/http/health.ts';
import { createHttpApp, type HttpApp } from '#platform/http/server.ts';
import { serveWelcome } from '#platform/http/welcome.ts';
import { killAt } from '#platform/lifecycle/fail-points.ts';
import type { Running } from '#platform/lifecycle/process.ts';
import type { Service } from '#platform/lifecycle/service.ts';
import { waitForDatabase } from '#platform/lifecycle/wait-for-database.ts';
import { migrate } from '#platform/migrations/migrate.ts';
import { createLogger, type Logger } from '#platform/telemetry/logger.ts';
import { openTaskService } from '#services/task/service.ts';
import { openUserService } from '#services/user/service.ts';
import { openDatabaseServer } from './database.ts';
import { migrationTargets } from './migrations.ts';

const tell = (line: string): void => void process.stderr.write(`taskwire: ${line}\n`);

export const startAll = async (overrides: Readonly<Record<string, string>> = {}): Promise<Running> => {
  const config = readConfig(overrides);
  const logger = createLogger(config.LOG_LEVEL);
  const secrets = await readSecrets(config);
  const server = await openDatabaseServer(config, tell);
  const { address } = server;
  await waitForDatabase(address, tell);
  for (const target of migrationTargets(config, address)) {
    const applied = await migrate(target);
    if (applied.length > 0) tell(`${target.schema}: applied ${applied.join(', ')}`);
  }

  const where = (service: 'USER' | 'TASK') => ({
    address: databaseOf(config, service, address),
    keysAddress: databaseOf(config, 'KEYS', address),
    failPoint: killAt(config.FAIL_POINT),
  });
  const user = await openUserService(config, secrets, where('USER'));
  const services = [user, openTaskService(secrets, where('TASK'))];
  let stopping = false;
  const app = await mount(
    config,
    logger,
    services,
    async () => user.keySet ?? { keys: [] },
    () => stopping,
  );
  const url = await listen(app, config);
  await server.announce(url);
  logger.info('listening', { url });
  tell(`ready at ${url}, API at ${url}/docs`);

  return {
    stop: async (reason) => {
      stopping = true;
      logger.info('stopping', { signal: reason });
      await app.close(); // answers what is under way, refuses what is new
      await Promise.all(services.map((service) => service.close()));
      await server.stop();
      logger.info('stopped');
    },
  };
};

const mount = async (
  config: Config,
  logger: Logger,
  services: readonly Service[],
  keySet: Parameters<typeof createTokenVerifier>[0],
  isStopping: () => boolean,
): Promise<HttpApp> => {
  const app = await createHttpApp({ verifier: createTokenVerifier(keySet, config.PUBLIC_URL), logger });
  await describeRoutes(app, {
    title: 'Taskwire',
    version: '0.1.0',
    description: 'Users and tasks as event-sourced services.',
    server: config.PUBLIC_URL,
  });
  for (const { routes } of services) app.register(async (scope) => routes(scope), { prefix: '/api/v1' });
  app.get('/.well-known/jwks.json', { config: { access: 'public' }, schema: { hide: true } }, keySet);
  serveHealth(app, Object.fromEntries(services.map(({ name, health }) => [`db.${name}`, health])), isStopping);
  serveWelcome(app);
  serveDocs(app, Object.assign({}, ...services.map(({ problems }) => problems)));
  return app;
};

const listen = async (app: HttpApp, { HOST, PORT }: Config): Promise<string> => {
  try {
    return await app.listen({ host: HOST, port: PORT });
  } catch (error) {
    const taken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
    throw taken
      ? new Error(`port ${PORT} is in use: stop what listens there, or choose another with PORT=8001`)
      : error;
  }
};
