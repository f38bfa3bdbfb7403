/** Lists of tasks over HTTP: those at hand, those in the trash, and what happened to one. */
import { bringsToken } from '#platform/http/consistency.ts';
import { answerList, type ListQuery } from '#platform/http/list.ts';
import { pick, refusal } from '#platform/http/problems.ts';
import { AUTHENTICATED, History, listOf, responses } from '#platform/http/schemas.ts';
import type { Routes } from '#platform/http/server.ts';
import { historyOf } from '#platform/read-models/history.ts';
import { pageOf } from '#platform/read-models/place.ts';
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
        return answer(ports, wanted, { sort, limit, cursor, count, fresh: bringsToken(request) });
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
        answer(ports, { owner: requester(request), trash: true }, { ...request.query, fresh: bringsToken(request) }),
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
        const { id } = request.params;
        const owner = requester(request);
        const events = await loadTaskEvents(ports.write.commands.store, id);
        const [birth] = events;
        if (birth?.event.type !== 'task.created' || birth.event.data.ownerId !== owner)
          throw refusal(taskProblems, 'task-not-found');
        const history = historyOf(taskList, presentTask, events);
        return answerList(ports.cursors, request.query, {
          binding: ['history', id, owner],
          find: async ({ after: [version = 0] = [], limit }) =>
            pageOf(history.slice(Number(version)), limit, (change) => [change.version]),
          present: (change) => change,
        });
      },
    );
  };

type Asked = ListQuery & { readonly sort: Sort; readonly fresh: boolean };
const answer = ({ database, kept, cursors }: TaskPorts, filter: TaskFilter, { sort, fresh, ...asked }: Asked) =>
  answerList(cursors, asked, {
    binding: ['tasks', filter, sort],
    find: (page) => listTasks(database, filter, sort, page),
    count: () => countTasks(kept, database, filter, { fresh }),
    present: presentTask,
  });
