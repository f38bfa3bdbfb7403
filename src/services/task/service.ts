/** The task service: what people mean to do, in what order, and what became of it. */
import { fileURLToPath } from 'node:url';
import type { Secrets } from '#platform/config/secrets.ts';
import { createCursorCodec } from '#platform/http/cursor.ts';
import type { Service } from '#platform/lifecycle/service.ts';
import { openServiceKit, type ServiceKitOptions } from '#platform/lifecycle/service-kit.ts';
import { EVENTS } from './events.ts';
import { categoryRoutes } from './http/category-routes.ts';
import { categoryProblems, taskProblems } from './http/problems.ts';
import { taskListRoutes } from './http/task-list-routes.ts';
import { taskRoutes } from './http/task-routes.ts';

export const TASK_SERVICE = {
  name: 'task',
  settings: 'TASK',
  schema: 'task_service',
  registry: EVENTS,
  migrations: fileURLToPath(new URL('./migrations', import.meta.url)),
} as const;

export const openTaskService = (
  secrets: Secrets,
  where: Pick<ServiceKitOptions, 'address' | 'keysAddress' | 'failPoint'>,
): Service => {
  const kit = openServiceKit({ ...TASK_SERVICE, ...where, masterKey: secrets.masterKey });
  const ports = { ...kit, cursors: createCursorCodec(secrets.masterKey) };
  return {
    ...TASK_SERVICE,
    routes: (app) => {
      taskRoutes(ports)(app);
      taskListRoutes(ports)(app);
      categoryRoutes(ports)(app);
    },
    problems: { ...taskProblems, ...categoryProblems },
    health: kit.health,
    close: kit.close,
  };
};
