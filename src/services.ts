/** How each service is opened in a process: at its place in the installation, and with no more secrets than it uses. */
import type { Secrets } from '#platform/config/secrets.ts';
import type { Opening, Service } from '#platform/lifecycle/service.ts';
import { NOTIFICATION_SERVICE, openNotificationService } from '#services/notification/service.ts';
import { openTaskService, TASK_SERVICE } from '#services/task/service.ts';
import { openUserService, USER_SERVICE } from '#services/user/service.ts';
import type { Installation, ServiceDescription } from './installation.ts';

type Surroundings = Pick<Opening<never>, 'config' | 'bus' | 'logger'> & Pick<Installation, 'placeOf'>;
/** Connects to nothing yet. */
export type ServiceOpener = (surroundings: Surroundings) => Promise<Service>;

const openerOf =
  <Uses extends keyof Secrets>(service: ServiceDescription, open: (opening: Opening<Uses>) => Promise<Service>) =>
  (secrets: Pick<Secrets, Uses>): ServiceOpener =>
  ({ placeOf, ...surroundings }) =>
    open({ ...surroundings, secrets, where: placeOf(service) });

export const userService = openerOf(USER_SERVICE, openUserService);
export const taskService = openerOf(TASK_SERVICE, openTaskService);
export const notificationService = openerOf(NOTIFICATION_SERVICE, openNotificationService);

export const everyService = (secrets: Secrets): readonly ServiceOpener[] =>
  [userService, taskService, notificationService].map((opener) => opener(secrets));
