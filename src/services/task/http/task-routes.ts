/** Tasks over HTTP, one at a time; lists of them are in task-list-routes.ts. */
import type { CategoryId, TaskId } from '#contracts/task.ts';
import { type CommandOptions, handle } from '#platform/commit/command-handler.ts';
import type { CommandContext } from '#platform/commit/plan.ts';
import { presenter, runCommand } from '#platform/http/commands.ts';
import { sendVersioned } from '#platform/http/preconditions.ts';
import { pick, refusal } from '#platform/http/problems.ts';
import { AUTHENTICATED, KEYED, NoBody, responses, VERSIONED, WITH_BODY } from '#platform/http/schemas.ts';
import type { Routes } from '#platform/http/server.ts';
import { newId } from '#platform/keys/ids.ts';
import { tasks } from '../application/aggregates.ts';
import { relyOnCategory } from '../application/rely-on-category.ts';
import type { OwnerCommand } from '../domain/task.ts';
import { findCategory } from '../read-models/category-list.ts';
import { findTask, taskList } from '../read-models/task-list.ts';
import type { TaskPorts } from './ports.ts';
import { taskProblems } from './problems.ts';
import { requester } from './requester.ts';
import { CreateTaskBody, presentTask, TaskParams, TaskResource, UpdateTaskBody } from './schemas.ts';

const CATEGORY_FAULTS = pick(taskProblems, 'unknown-category', 'category-archived');
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
          response: responses({ 201: TaskResource }, [...AUTHENTICATED, ...WITH_BODY, ...KEYED], CATEGORY_FAULTS),
        },
      },
      (request, reply) =>
        runCommand(write, request, reply, {
          presenter: task,
          problems: taskProblems,
          run: (context, { idempotency }) => {
            const command: OwnerCommand = { type: 'CreateTask', by: requester(request), fields: request.body };
            return run(ports, newId<TaskId>(), command, context, { idempotency, isNew: true }, request.body.categoryId);
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
          response: responses({ 200: TaskResource, 304: NoBody }, AUTHENTICATED, pick(taskProblems, 'task-not-found')),
        },
      },
      async (request, reply) => {
        const row = await findTask(database, request.params.id, requester(request));
        if (row === undefined) throw refusal(taskProblems, 'task-not-found');
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
            ...pick(taskProblems, 'task-not-found', 'task-deleted'),
            ...CATEGORY_FAULTS,
          }),
        },
      },
      (request, reply) =>
        runCommand(write, request, reply, {
          presenter: task,
          problems: taskProblems,
          run: (context, options) => {
            const command: OwnerCommand = { type: 'UpdateTask', by: requester(request), changes: request.body };
            return run(ports, request.params.id, command, context, options, request.body.categoryId);
          },
        }),
    );

    const actions = [
      ['POST', '/tasks/:id/complete', 'CompleteTask', 'Complete a task', ['task-deleted', 'task-already-completed']],
      [
        'POST',
        '/tasks/:id/reopen',
        'ReopenTask',
        'Open a completed task again',
        ['task-deleted', 'task-not-completed'],
      ],
      ['POST', '/tasks/:id/restore', 'RestoreTask', 'Take a task back from the trash', ['task-not-deleted']],
      ['DELETE', '/tasks/:id', 'DeleteTask', 'Put a task into the trash', ['task-deleted']],
    ] as const;
    for (const [method, url, type, summary, rejections] of actions) {
      app.route({
        method,
        url,
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
            pick(taskProblems, 'task-not-found', ...rejections),
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
  };

/** `categoryId` is where the task shall be; undefined where that is not what the command is about. */
const run = (
  ports: TaskPorts,
  id: TaskId,
  command: OwnerCommand,
  context: CommandContext,
  options: CommandOptions,
  categoryId?: CategoryId | null,
) =>
  handle(ports.write.commands, tasks, id, command, context, options, (before) =>
    relyOnCategory(before?.categoryId, categoryId, (category) => findCategory(ports.database, category, command.by)),
  );
