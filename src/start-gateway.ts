/** The gateway in a process of its own, in any number of copies. It waits for nobody: who is away is away. */
import { readConfig } from '#platform/config/config.ts';
import type { Running } from '#platform/lifecycle/process.ts';
import { openTracing } from '#platform/telemetry/span-export.ts';
import { buildGateway } from './gateway/gateway.ts';
import { listen, openLogger, tell } from './starting.ts';

export const startGateway = async (): Promise<Running> => {
  const config = readConfig('gateway');
  const logger = openLogger(config);
  const tracing = openTracing(config, 'taskwire-gateway', logger);
  const gateway = await buildGateway(config, logger);
  const url = await listen(gateway.http, config.HOST, 'PORT', config.PORT);
  logger.info('listening', { service: 'gateway', url });
  tell(`the gateway is ready at ${url}, the API at ${url}/docs`);
  return {
    stop: async (signal) => {
      logger.info('stopping', { service: 'gateway', signal });
      await gateway.close('slowly');
      await tracing.close();
      logger.info('stopped', { service: 'gateway' });
    },
  };
};
