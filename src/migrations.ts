/** Which schema gets which tables: the platform's parts where a service uses them, then the service's own. */
import { fileURLToPath } from 'node:url';
import { type Config, databaseOf } from '#platform/config/config.ts';
import type { MigrationTarget } from '#platform/migrations/migrate.ts';
import type { DatabaseAddress } from '#platform/sql/connection.ts';
import { TASK_SERVICE } from '#services/task/service.ts';
import { USER_SERVICE } from '#services/user/service.ts';

const folder = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const EVENT_STORE = folder('./platform/event-store/migrations');

export const migrationTargets = (config: Config, shared: DatabaseAddress): readonly MigrationTarget[] => [
  { address: databaseOf(config, 'KEYS', shared), schema: 'keys', folders: [folder('./platform/keys/migrations')] },
  {
    address: databaseOf(config, 'USER', shared),
    schema: USER_SERVICE.schema,
    folders: [EVENT_STORE, USER_SERVICE.migrations],
  },
  {
    address: databaseOf(config, 'TASK', shared),
    schema: TASK_SERVICE.schema,
    folders: [EVENT_STORE, TASK_SERVICE.migrations],
  },
];
