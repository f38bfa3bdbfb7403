/** What an installation consists of: its services, the database of each, and the schemas in them. */
import { fileURLToPath } from 'node:url';
import { type Config, databaseOf } from '#platform/config/config.ts';
import { killAt } from '#platform/lifecycle/fail-points.ts';
import type { ServiceKitOptions } from '#platform/lifecycle/service-kit.ts';
import type { MigrationTarget } from '#platform/migrations/migrate.ts';
import type { DatabaseAddress } from '#platform/sql/connection.ts';
import { TASK_SERVICE } from '#services/task/service.ts';
import { USER_SERVICE } from '#services/user/service.ts';

export const SERVICES = [USER_SERVICE, TASK_SERVICE] as const;
type ServiceName = (typeof SERVICES)[number];

const folder = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const EVENT_STORE = folder('./platform/event-store/migrations');
const KEYS = folder('./platform/keys/migrations');

/** `shared` is the database that DB_* names; a service's own settings move it elsewhere. */
export const whereIs = (
  { settings }: Pick<ServiceName, 'settings'>,
  config: Config,
  shared: DatabaseAddress,
): Pick<ServiceKitOptions, 'address' | 'keysAddress' | 'failPoint'> => ({
  address: databaseOf(config, settings, shared),
  keysAddress: databaseOf(config, 'KEYS', shared),
  failPoint: killAt(config.FAIL_POINT),
});

/** Which schema gets which tables: the platform's parts where a service uses them, then the service's own. */
export const migrationTargets = (config: Config, shared: DatabaseAddress): readonly MigrationTarget[] => [
  { address: databaseOf(config, 'KEYS', shared), schema: 'keys', folders: [KEYS] },
  ...SERVICES.map((service) => ({
    address: whereIs(service, config, shared).address,
    schema: service.schema,
    folders: [EVENT_STORE, service.migrations],
  })),
];
