/** The one-command start: the database, its schemas, and every service behind one port. */
import { type Config, readConfig } from '#platform/config/config.ts';
import { readSecrets } from '#platform/config/secrets.ts';
import type { HttpApp } from '#platform/http/server.ts';
import type { Running } from '#platform/lifecycle/process.ts';
import { waitForDatabase } from '#platform/lifecycle/wait-for-database.ts';
import { migrate } from '#platform/migrations/migrate.ts';
import { createLogger, type Logger } from '#platform/telemetry/logger.ts';
import { terminal } from '#platform/telemetry/terminal.ts';
import { buildApp } from './app.ts';
import { openDatabaseServer, type RunningDatabase } from './database.ts';
import { migrationTargets } from './installation.ts';

const tell = (line: string): void => void process.stderr.write(`taskwire: ${line}\n`);

export const startAll = async (): Promise<Running> => {
  const config = readConfig();
  const forPerson = config.LOG_FORMAT === 'text' || (config.LOG_FORMAT === 'auto' && process.stdout.isTTY);
  const logger = createLogger(config.LOG_LEVEL, forPerson ? terminal(process.stdout) : undefined);
  const server = await openDatabaseServer(config, tell);
  try {
    return await startOn(server, config, logger);
  } catch (error) {
    await server.stop(); // whoever cannot start leaves nothing running
    throw error;
  }
};

const startOn = async (server: RunningDatabase, config: Config, logger: Logger): Promise<Running> => {
  await waitForDatabase(server.address, tell);
  for (const target of migrationTargets(config, server.address)) {
    const applied = await migrate(target);
    if (applied.length > 0) tell(`${target.schema}: applied ${applied.join(', ')}`);
  }

  const secrets = await readSecrets(config);
  const app = await buildApp(config, secrets, server.address, logger);
  const url = await listen(app.http, config);
  await server.announce(url);
  logger.info('listening', { url });
  tell(`ready at ${url}, the API at ${url}/docs`);
  return {
    stop: async (reason) => {
      logger.info('stopping', { signal: reason });
      await app.close();
      await server.stop();
      logger.info('stopped');
    },
  };
};

const listen = async (app: HttpApp, { HOST, PORT }: Config): Promise<string> => {
  try {
    return await app.listen({ host: HOST, port: PORT });
  } catch (error) {
    const taken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
    throw taken
      ? new Error(`port ${PORT} is in use: stop what listens there, or choose another: PORT=${PORT + 1}`)
      : error;
  }
};
