/** Lists of tasks over HTTP: those at hand, those in the trash, and what happened to one. */
import { bringsToken } from '#platform/http/consistency.ts';
import { pick, refusal } from '#platform/http/problems.ts';
import { AUTHENTICATED, History, listOf, responses } from '#platform/http/schemas.ts';
import type { Routes } from '#platform/http/server.ts';
import { historyOf } from '#platform/read-models/history.ts';
import { loadTaskEvents } from '../read-models/task-history.ts';
import { taskList } from '../read-models/task-list.ts';
import { countTasks, listTasks, type Sort, type TaskFilter } from '../read-models/task-search.ts';
import type { TaskPorts } from './ports.ts';
import { taskProblems } from './problems.ts';
import { requester } from './requester.ts';
import { HistoryQuery, presentTask, TaskParams, TaskQuery, TaskResource, TrashQuery } from './schemas.ts';

const USER = { access: 'user' } as const;

export const taskListRoutes =
  (ports: TaskPorts): Routes =>
  (app) => {
    app.get(
      '/tasks',
      {
        config: USER,
        schema: {
          operationId: 'listTasks',
          tags: ['tasks'],
          summary: 'My tasks, without those in the trash',
          querystring: TaskQuery,
          response: responses({ 200: listOf(TaskResource) }, [...AUTHENTICATED, 'cursor-mismatch']),
        },
      },
      (request) => {
        const { sort, limit, cursor, count, ...filter } = request.query;
        const wanted = { owner: requester(request), trash: false, ...filter };
        return page(ports, wanted, { sort, limit, cursor, count, fresh: bringsToken(request) });
      },
    );

    app.get(
      '/tasks/trash',
      {
        config: USER,
        schema: {
          operationId: 'listTrash',
          tags: ['tasks'],
          summary: 'My tasks in the trash',
          querystring: TrashQuery,
          response: responses({ 200: listOf(TaskResource) }, [...AUTHENTICATED, 'cursor-mismatch']),
        },
      },
      (request) =>
        page(ports, { owner: requester(request), trash: true }, { ...request.query, fresh: bringsToken(request) }),
    );

    app.get(
      '/tasks/:id/history',
      {
        config: USER,
        schema: {
          operationId: 'getTaskHistory',
          tags: ['tasks'],
          summary: 'What happened to a task, oldest first',
          params: TaskParams,
          querystring: HistoryQuery,
          response: responses(
            { 200: History },
            [...AUTHENTICATED, 'cursor-mismatch'],
            pick(taskProblems, 'task-not-found'),
          ),
        },
      },
      async (request) => {
        const { limit, cursor } = request.query;
        const binding = ['history', request.params.id, requester(request)];
        const [after = 0] = cursor === undefined ? [] : ports.cursors.read(cursor, binding);
        const events = await loadTaskEvents(ports.write.commands.store, request.params.id);
        const [birth] = events;
        if (birth?.event.type !== 'task.created' || birth.event.data.ownerId !== requester(request))
          throw refusal(taskProblems, 'task-not-found');
        const items = historyOf(taskList, presentTask, events).slice(Number(after), Number(after) + limit);
        const last = items.at(-1)?.version ?? events.length;
        return { items, nextCursor: last < events.length ? ports.cursors.write([last], binding) : null };
      },
    );
  };

type Page = {
  readonly sort: Sort;
  readonly limit: number;
  readonly cursor?: string | undefined;
  readonly count: boolean;
  readonly fresh: boolean;
};
const page = async (
  { database, kept, cursors }: TaskPorts,
  filter: TaskFilter,
  { sort, limit, cursor, count, fresh }: Page,
) => {
  const binding = ['tasks', filter, sort];
  const after = cursor === undefined ? undefined : cursors.read(cursor, binding);
  const [{ rows, next }, totalCount] = await Promise.all([
    listTasks(database, filter, { sort, after, limit }),
    count ? countTasks(kept, database, filter, { fresh }) : undefined,
  ]);
  return {
    items: rows.map(presentTask),
    nextCursor: next ? cursors.write(next, binding) : null,
    ...(totalCount !== undefined && { totalCount }),
  };
};
