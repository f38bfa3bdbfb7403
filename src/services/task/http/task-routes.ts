/** Tasks over HTTP. */
import type { CategoryId, TaskId } from '#contracts/task.ts';
import { type CommandOptions, handle } from '#platform/commit/command-handler.ts';
import type { CommandContext } from '#platform/commit/plan.ts';
import { presenter, runCommand, type WriteKit } from '#platform/http/commands.ts';
import type { CursorCodec } from '#platform/http/cursor.ts';
import { sendVersioned } from '#platform/http/preconditions.ts';
import { HttpProblem } from '#platform/http/problems.ts';
import {
  AUTHENTICATED,
  History,
  KEYED,
  listOf,
  NoBody,
  responses,
  VERSIONED,
  WITH_BODY,
} from '#platform/http/schemas.ts';
import type { HttpApp, Routes } from '#platform/http/server.ts';
import { newId } from '#platform/keys/ids.ts';
import { historyOf } from '#platform/read-models/history.ts';
import type { Database } from '#platform/sql/database.ts';
import { tasks } from '../application/aggregates.ts';
import { relyOnCategory } from '../application/rely-on-category.ts';
import type { TaskCommand } from '../domain/task.ts';
import { findCategory } from '../read-models/category-list.ts';
import { loadTaskEvents } from '../read-models/task-history.ts';
import { findTask, taskList } from '../read-models/task-list.ts';
import { countTasks, listTasks, type Sort, type TaskFilter } from '../read-models/task-search.ts';
import { taskProblems } from './problems.ts';
import { requester } from './requester.ts';
import {
  CreateTaskBody,
  HistoryQuery,
  presentTask,
  TaskParams,
  TaskQuery,
  TaskResource,
  TrashQuery,
  UpdateTaskBody,
} from './schemas.ts';

export type TaskPorts = { readonly write: WriteKit; readonly database: Database; readonly cursors: CursorCodec };

const {
  'task-not-found': notFound,
  'task-deleted': deleted,
  'task-not-deleted': notDeleted,
  'task-already-completed': alreadyCompleted,
  'task-not-completed': notCompleted,
  'unknown-category': unknownCategory,
  'category-archived': archived,
} = taskProblems;
const absent = { 'task-not-found': notFound };
const categoryFaults = { 'unknown-category': unknownCategory, 'category-archived': archived };
const task = presenter(taskList, presentTask);
const USER = { access: 'user' } as const;

export const taskRoutes =
  (ports: TaskPorts): Routes =>
  (app) => {
    const { write, database } = ports;

    app.post(
      '/tasks',
      {
        config: USER,
        schema: {
          operationId: 'createTask',
          tags: ['tasks'],
          summary: 'Create a task',
          body: CreateTaskBody,
          response: responses({ 201: TaskResource }, [...AUTHENTICATED, ...WITH_BODY, ...KEYED], categoryFaults),
        },
      },
      (request, reply) =>
        runCommand(write, request, reply, {
          presenter: task,
          problems: taskProblems,
          run: (context, { idempotency }) => {
            const { title, description = null, priority = 'medium', categoryId = null, due = null } = request.body;
            const fields = { title, description, priority, categoryId, due };
            const id = newId<TaskId>();
            const command: TaskCommand = { type: 'CreateTask', by: requester(request), fields };
            return run(ports, id, command, context, { idempotency, isNew: true }, categoryId);
          },
          location: ({ id }) => `/api/v1/tasks/${id}`,
        }),
    );

    app.get(
      '/tasks/:id',
      {
        config: USER,
        schema: {
          operationId: 'getTask',
          tags: ['tasks'],
          summary: 'One task',
          params: TaskParams,
          response: responses({ 200: TaskResource }, AUTHENTICATED, absent),
        },
      },
      async (request, reply) => {
        const row = await findTask(database, request.params.id, requester(request));
        if (row === undefined) throw new HttpProblem('task-not-found', notFound);
        return sendVersioned(request, reply, presentTask(row));
      },
    );

    app.patch(
      '/tasks/:id',
      {
        config: USER,
        schema: {
          operationId: 'updateTask',
          tags: ['tasks'],
          summary: 'Change fields of a task (merge-patch; null clears)',
          params: TaskParams,
          body: UpdateTaskBody,
          response: responses({ 200: TaskResource }, [...AUTHENTICATED, ...WITH_BODY, ...KEYED, ...VERSIONED], {
            ...absent,
            'task-deleted': deleted,
            ...categoryFaults,
          }),
        },
      },
      (request, reply) =>
        runCommand(write, request, reply, {
          presenter: task,
          problems: taskProblems,
          run: (context, options) => {
            const command: TaskCommand = { type: 'UpdateTask', by: requester(request), changes: request.body };
            return run(ports, request.params.id, command, context, options, request.body.categoryId);
          },
        }),
    );

    const actions = [
      {
        method: 'POST',
        path: '/tasks/:id/complete',
        type: 'CompleteTask',
        summary: 'Complete a task',
        problems: { 'task-deleted': deleted, 'task-already-completed': alreadyCompleted },
      },
      {
        method: 'POST',
        path: '/tasks/:id/reopen',
        type: 'ReopenTask',
        summary: 'Open a completed task again',
        problems: { 'task-deleted': deleted, 'task-not-completed': notCompleted },
      },
      {
        method: 'POST',
        path: '/tasks/:id/restore',
        type: 'RestoreTask',
        summary: 'Take a task back from the trash',
        problems: { 'task-not-deleted': notDeleted },
      },
      {
        method: 'DELETE',
        path: '/tasks/:id',
        type: 'DeleteTask',
        summary: 'Put a task into the trash',
        problems: { 'task-deleted': deleted },
      },
    ] as const;
    for (const { method, path, type, summary, problems } of actions) {
      app.route({
        method,
        url: path,
        config: USER,
        schema: {
          operationId: type.charAt(0).toLowerCase() + type.slice(1),
          tags: ['tasks'],
          summary,
          params: TaskParams,
          body: NoBody,
          response: responses(
            method === 'DELETE' ? { 204: NoBody } : { 200: TaskResource },
            [...AUTHENTICATED, ...KEYED, ...VERSIONED],
            {
              ...absent,
              ...problems,
            },
          ),
        },
        handler: (request, reply) =>
          runCommand(write, request, reply, {
            presenter: task,
            problems: taskProblems,
            run: (context, options) =>
              run(ports, request.params.id, { type, by: requester(request) }, context, options),
          }),
      });
    }

    taskLists(app, ports);
  };

const taskLists = (app: HttpApp, ports: TaskPorts): void => {
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
      return page(ports, { owner: requester(request), trash: false, ...filter }, { sort, limit, cursor, count });
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
    (request) => page(ports, { owner: requester(request), trash: true }, request.query),
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
        response: responses({ 200: History }, [...AUTHENTICATED, 'cursor-mismatch'], absent),
      },
    },
    async (request) => {
      const { limit, cursor } = request.query;
      const binding = ['history', request.params.id, requester(request)];
      const [after = 0] = cursor === undefined ? [] : ports.cursors.read(cursor, binding);
      const events = await loadTaskEvents(ports.write.commands.store, request.params.id);
      const [birth] = events;
      if (birth?.event.type !== 'task.created' || birth.event.data.ownerId !== requester(request))
        throw new HttpProblem('task-not-found', notFound);
      const items = historyOf(taskList, presentTask, events).slice(Number(after), Number(after) + limit);
      const last = items.at(-1)?.version ?? events.length;
      return { items, nextCursor: last < events.length ? ports.cursors.write([last], binding) : null };
    },
  );
};

const run = (
  ports: TaskPorts,
  id: TaskId,
  command: TaskCommand,
  context: CommandContext,
  options: CommandOptions,
  categoryId?: CategoryId | null,
) =>
  handle(ports.write.commands, tasks, id, command, context, options, (before) =>
    relyOnCategory(before?.categoryId, categoryId, (category) => findCategory(ports.database, category, command.by)),
  );

const page = async (
  { database, cursors }: TaskPorts,
  filter: TaskFilter,
  {
    sort,
    limit,
    cursor,
    count,
  }: { readonly sort: Sort; readonly limit: number; readonly cursor?: string | undefined; readonly count: boolean },
) => {
  const binding = ['tasks', filter, sort];
  const after = cursor === undefined ? undefined : cursors.read(cursor, binding);
  const [{ rows, next }, totalCount] = await Promise.all([
    listTasks(database, filter, { sort, after, limit }),
    count ? countTasks(database, filter) : undefined,
  ]);
  return {
    items: rows.map(presentTask),
    nextCursor: next ? cursors.write(next, binding) : null,
    ...(totalCount !== undefined && { totalCount }),
  };
};
