/** The relay of a bed's producer, as the task service has it. */
import type { Publisher, Relay } from '../src/platform/event-bus/relaying.ts';
import { openRelay } from '../src/platform/event-bus/relaying.ts';
import { openDatabase } from '../src/platform/sql/database.ts';
import { createLogger } from '../src/platform/telemetry/logger.ts';
import { TASK_SERVICE } from '../src/services/task/service.ts';
import type { Bed } from './bed.ts';

/** Runs until it is stopped. */
export const startRelay = async ({ database: address, producer }: Bed, publisher: Publisher): Promise<Relay> => {
  const { name: source, schema } = TASK_SERVICE;
  const rights = { schema, role: schema, statementTimeout: 5_000, connections: 1 };
  const database = openDatabase({ ...rights, address, applicationName: 'bench relay' });
  const { committed } = producer;
  const relay = openRelay({ source, database, publisher, committed, logger: createLogger('warn') });
  await relay.start();
  return {
    ...relay,
    stop: async () => {
      await relay.stop();
      await database.close();
    },
  };
};
