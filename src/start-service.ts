/**
 * One service in a process of its own, in any number of copies. It listens at once, so that it can be asked how it is;
 * it serves when the database is there, with the schema that `taskwire migrate` brings.
 */
import { type Config, ConfigurationError, readConfig } from '#platform/config/config.ts';
import { readSecrets, type Secrets } from '#platform/config/secrets.ts';
import type { Running } from '#platform/lifecycle/process.ts';
import { createReadiness, type Readiness } from '#platform/lifecycle/readiness.ts';
import { waitForSchema } from '#platform/lifecycle/wait-for-schema.ts';
import type { Logger } from '#platform/telemetry/logger.ts';
import { openTracing } from '#platform/telemetry/span-export.ts';
import { buildProcess } from './app.ts';
import { namedDatabase } from './database.ts';
import { migrationTargets } from './installation.ts';
import { notificationService, type ServiceOpener, taskService, userService } from './services.ts';
import { listen, openLogger, tell } from './starting.ts';

type Opened = Pick<Secrets, 'masterKey'> & { readonly open: ServiceOpener };
/** Every process knows the master key: what it hands out to clients is sealed with it. */
const opening =
  <More extends keyof Secrets = never>(
    openerOf: (secrets: Pick<Secrets, 'masterKey' | More>) => ServiceOpener,
    ...more: readonly More[]
  ) =>
  async (config: Config): Promise<Opened> => {
    const secrets = await readSecrets<'masterKey' | More>(config, 'masterKey', ...more);
    const { masterKey } = secrets;
    return { masterKey, open: openerOf(secrets) };
  };
const SERVICES = {
  user: { settings: 'USER', port: 'USER_PORT', open: opening(userService, 'jwtPrivateKeys', 'passwordPepper') },
  task: { settings: 'TASK', port: 'TASK_PORT', open: opening(taskService) },
  notification: { settings: 'NOTIFICATION', port: 'NOTIFICATION_PORT', open: opening(notificationService) },
} as const;
export type ServiceName = keyof typeof SERVICES;

export const startService = (name: ServiceName) => async (): Promise<Running> => {
  const { settings, port, open } = SERVICES[name];
  const config = readConfig(name);
  const shared = namedDatabase(config, settings);
  if (shared === undefined) throw new ConfigurationError(`DB_HOST must be given: ${WHY_NAMED}`);
  const logger = openLogger(config);
  const tracing = openTracing(config, `taskwire-${name}`, logger);
  const readiness = createReadiness('the database');
  const opened = await open(config);
  const app = await buildProcess({
    config,
    shared,
    logger,
    readiness,
    masterKey: opened.masterKey,
    open: [opened.open],
    leaving: 'slowly',
    counts: ['accounts'],
  });
  const url = await listen(app.http, config.HOST, port, config[port]);
  logger.info('listening', { service: name, url });
  const schemas = ['keys', `${name}_service`];
  const targets = migrationTargets(config, shared).filter(({ schema }) => schemas.includes(schema));
  await waitForSchema(targets, ({ what, details }) => sayWaiting(logger, readiness, name, what, details));
  await app.start();
  readiness.begin();
  logger.info('ready', { service: name, url });
  tell(`the ${name} service is ready at ${url}, its API at ${url}/docs`);
  return {
    stop: async (reason) => {
      logger.info('stopping', { service: name, signal: reason });
      await app.close();
      await tracing.close();
      logger.info('stopped', { service: name });
    },
  };
};

const WHY_NAMED =
  'the processes of an installation share a server, and the embedded one belongs to the process that started it';

const sayWaiting = (logger: Logger, readiness: Readiness, service: string, what: string, details: string): void => {
  readiness.wait(what);
  logger.warn('waiting', { service, reason: details });
  tell(`waiting for ${details}`);
};
