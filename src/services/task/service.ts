/** The task service: what people mean to do, in what order, and what became of it. */
import { fileURLToPath } from 'node:url';
import { createCursorCodec } from '#platform/http/cursor.ts';
import type { Opening, Service } from '#platform/lifecycle/service.ts';
import { openServiceKit } from '#platform/lifecycle/service-kit.ts';
import { inlineReadModel } from '#platform/read-models/inline.ts';
import type { Worker } from '#platform/scheduling/worker.ts';
import { categories, tasks } from './application/aggregates.ts';
import { startTaskTimers } from './application/timers.ts';
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
  readModels: [inlineReadModel(tasks), inlineReadModel(categories)],
} as const;

export const openTaskService = async ({ secrets, where, logger }: Opening<'masterKey'>): Promise<Service> => {
  const kit = openServiceKit({ ...TASK_SERVICE, ...where, masterKey: secrets.masterKey });
  let timers: Worker | undefined;
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
    background: {
      start: async () => {
        timers = startTaskTimers(kit, logger);
      },
      stop: async () => timers?.stop(),
    },
    close: kit.close,
  };
};
