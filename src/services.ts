/** How each service is opened: what it is given of the installation, and of the secrets no more than it uses. */
import type { Config } from '#platform/config/config.ts';
import type { Secrets } from '#platform/config/secrets.ts';
import type { Service } from '#platform/lifecycle/service.ts';
import type { Logger } from '#platform/telemetry/logger.ts';
import { NOTIFICATION_SERVICE, openNotificationService } from '#services/notification/service.ts';
import { openTaskService, TASK_SERVICE } from '#services/task/service.ts';
import { openUserService, USER_SERVICE } from '#services/user/service.ts';
import type { Installation } from './installation.ts';

type Surroundings = Installation & { readonly config: Config; readonly logger: Logger };
/** Connects to nothing yet. */
export type ServiceOpener = (surroundings: Surroundings) => Promise<Service>;

export const userService =
  (secrets: Secrets): ServiceOpener =>
  ({ config, placeOf }) =>
    openUserService(config, secrets, placeOf(USER_SERVICE));

type MasterKey = Pick<Secrets, 'masterKey'>;
export const taskService =
  (secrets: MasterKey): ServiceOpener =>
  async ({ placeOf, logger }) =>
    openTaskService(secrets, placeOf(TASK_SERVICE), logger);

export const notificationService =
  (secrets: MasterKey): ServiceOpener =>
  async ({ config, placeOf, bus, logger }) =>
    openNotificationService(config, secrets, placeOf(NOTIFICATION_SERVICE), bus, logger);

export const everyService = (secrets: Secrets): readonly ServiceOpener[] => [
  userService(secrets),
  taskService(secrets),
  notificationService(secrets),
];
