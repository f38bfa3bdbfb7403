/** Our own store and executor on a database, as the task service has them. */
import { randomUUID } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import type { TaskTitle } from '../src/contracts/task.ts';
import type { UserId } from '../src/contracts/user.ts';
import { migrationTargets } from '../src/installation.ts';
import type { CommandContext } from '../src/platform/commit/plan.ts';
import { parseConfig } from '../src/platform/config/config.ts';
import { openServiceKit, type ServiceKit } from '../src/platform/lifecycle/service-kit.ts';
import { migrate } from '../src/platform/migrations/migrate.ts';
import { tasks } from '../src/services/task/application/aggregates.ts';
import { TASK_SERVICE } from '../src/services/task/service.ts';
import type { Database } from './postgres.ts';

export const OWNER = '01980000-0000-7000-8000-000000000001' as UserId;
export const MASTER_KEY = randomUUID() + randomUUID();
/** As long as people's titles are. */
export const TITLE = 'Water the plants on the balcony' as TaskTitle;

export const openKit = async (database: Database): Promise<ServiceKit> => {
  for (const target of migrationTargets(parseConfig({}), database)) await migrate(target);
  return openServiceKit({
    ...TASK_SERVICE,
    address: database,
    keysAddress: database,
    masterKey: MASTER_KEY,
  });
};

export const context = (): CommandContext => {
  const id = uuidv7();
  return {
    correlationId: id,
    causationId: id,
    requestId: id,
    actor: OWNER,
    occurredAt: new Date().toISOString(),
    newId: uuidv7,
  };
};
export { tasks };
