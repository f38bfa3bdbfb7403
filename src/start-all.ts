/** The one-command start: the database, its schemas, and every service behind one port. */
import { type Config, readConfig } from '#platform/config/config.ts';
import type { Running } from '#platform/lifecycle/process.ts';
import { waitForDatabase } from '#platform/lifecycle/wait-for-database.ts';
import { migrate } from '#platform/migrations/migrate.ts';
import type { Logger } from '#platform/telemetry/logger.ts';
import { openTracing } from '#platform/telemetry/span-export.ts';
import { type App, buildApp } from './app.ts';
import { openDatabaseServer, type RunningDatabase } from './database.ts';
import { kafkaOf, migrationTargets, topicsOf } from './installation.ts';
import { secretsFor } from './secrets.ts';
import { listen, openLogger, tell } from './starting.ts';

export const startAll = async (): Promise<Running> => {
  const config = readConfig();
  const logger = openLogger(config);
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

  const secrets = await secretsFor(config, server.address);
  void makeTopics(config, logger);
  const tracing = openTracing(config, 'taskwire', logger);
  const app = await buildApp(config, secrets, server.address, logger);
  const url = await answerAndWork(app, config);
  await server.announce(url);
  logger.info('listening', { url });
  tell(`ready at ${url}, the API at ${url}/docs`);
  return {
    stop: async (reason) => {
      logger.info('stopping', { signal: reason });
      await app.close();
      await tracing.close();
      await server.stop();
      logger.info('stopped');
    },
  };
};

/** As it migrates by itself; what needs a topic that is not there yet waits for it. */
const makeTopics = async (config: Config, logger: Logger): Promise<void> => {
  const settings = kafkaOf(config);
  if (settings === undefined) return;
  const { applyTopics } = await import('#platform/event-bus/kafka/topics.ts');
  for (;;) {
    try {
      const outcomes = await applyTopics(settings, topicsOf(config));
      const made = outcomes.filter(({ outcome }) => outcome === 'made').map(({ name }) => name);
      if (made.length > 0) tell(`made the topics ${made.join(', ')}`);
      return;
    } catch (error) {
      logger.warn('topics cannot be made yet', { error });
      await new Promise((resolve) => setTimeout(resolve, 2_000).unref());
    }
  }
};

/** Whoever cannot start leaves nothing running. */
const answerAndWork = async (app: App, config: Config): Promise<string> => {
  try {
    await app.start();
    return await listen(app.http, config.HOST, 'PORT', config.PORT);
  } catch (error) {
    await app.close();
    throw error;
  }
};
