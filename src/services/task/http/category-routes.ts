/** Categories over HTTP. */
import type { CategoryId } from '#contracts/task.ts';
import { handle } from '#platform/commit/command-handler.ts';
import { presenter, runCommand } from '#platform/http/commands.ts';
import { answerList } from '#platform/http/list.ts';
import { sendVersioned } from '#platform/http/preconditions.ts';
import { pick, refusal } from '#platform/http/problems.ts';
import { AUTHENTICATED, KEYED, listOf, NoBody, responses, VERSIONED, WITH_BODY } from '#platform/http/schemas.ts';
import type { Routes } from '#platform/http/server.ts';
import { newId } from '#platform/keys/ids.ts';
import { categories } from '../application/aggregates.ts';
import { type DeleteCategory, deleteCategory } from '../application/delete-category.ts';
import { categoryList, countCategories, findCategory, listCategories } from '../read-models/category-list.ts';
import type { TaskPorts } from './ports.ts';
import { categoryProblems } from './problems.ts';
import { requester } from './requester.ts';
import {
  CategoryParams,
  CategoryQuery,
  CategoryResource,
  CreateCategoryBody,
  DeleteCategoryQuery,
  presentCategory,
  UpdateCategoryBody,
} from './schemas.ts';

const category = presenter(categoryList, presentCategory);
const USER = { access: 'user' } as const;

export const categoryRoutes =
  ({ write, database, cursors }: TaskPorts): Routes =>
  (app) => {
    app.post(
      '/categories',
      {
        config: USER,
        schema: {
          operationId: 'createCategory',
          tags: ['categories'],
          summary: 'Make a category',
          body: CreateCategoryBody,
          response: responses({ 201: CategoryResource }, [...AUTHENTICATED, ...WITH_BODY, ...KEYED]),
        },
      },
      (request, reply) =>
        runCommand(write, request, reply, {
          presenter: category,
          problems: categoryProblems,
          run: (context, { idempotency }) => {
            const command = { type: 'CreateCategory', by: requester(request), fields: request.body } as const;
            return handle(write.commands, categories, newId<CategoryId>(), command, context, {
              idempotency,
              isNew: true,
            });
          },
          location: ({ id }) => `/api/v1/categories/${id}`,
        }),
    );

    app.get(
      '/categories',
      {
        config: USER,
        schema: {
          operationId: 'listCategories',
          tags: ['categories'],
          summary: 'My categories, in their order',
          querystring: CategoryQuery,
          response: responses({ 200: listOf(CategoryResource) }, [...AUTHENTICATED, 'cursor-mismatch']),
        },
      },
      (request) => {
        const filter = { owner: requester(request), status: request.query.status };
        return answerList(cursors, request.query, {
          binding: ['categories', filter],
          find: (page) => listCategories(database, filter, page),
          count: () => countCategories(database, filter),
          present: presentCategory,
        });
      },
    );

    app.get(
      '/categories/:id',
      {
        config: USER,
        schema: {
          operationId: 'getCategory',
          tags: ['categories'],
          summary: 'One category',
          params: CategoryParams,
          response: responses(
            { 200: CategoryResource, 304: NoBody },
            AUTHENTICATED,
            pick(categoryProblems, 'category-not-found'),
          ),
        },
      },
      async (request, reply) => {
        const row = await findCategory(database, request.params.id, requester(request));
        if (row === undefined) throw refusal(categoryProblems, 'category-not-found');
        return sendVersioned(request, reply, presentCategory(row));
      },
    );

    app.patch(
      '/categories/:id',
      {
        config: USER,
        schema: {
          operationId: 'updateCategory',
          tags: ['categories'],
          summary: 'Change a category (merge-patch)',
          params: CategoryParams,
          body: UpdateCategoryBody,
          response: responses(
            { 200: CategoryResource },
            [...AUTHENTICATED, ...WITH_BODY, ...KEYED, ...VERSIONED],
            pick(categoryProblems, 'category-not-found', 'category-archived'),
          ),
        },
      },
      (request, reply) =>
        runCommand(write, request, reply, {
          presenter: category,
          problems: categoryProblems,
          run: (context, options) => {
            const command = { type: 'UpdateCategory', by: requester(request), changes: request.body } as const;
            return handle(write.commands, categories, request.params.id, command, context, options);
          },
        }),
    );

    const actions = [
      ['archive', 'ArchiveCategory', 'Let a category take no new tasks', 'category-archived'],
      ['unarchive', 'UnarchiveCategory', 'Let it take tasks again', 'category-not-archived'],
    ] as const;
    for (const [action, type, summary, rejection] of actions) {
      app.post(
        `/categories/:id/${action}`,
        {
          config: USER,
          schema: {
            operationId: `${action}Category`,
            tags: ['categories'],
            summary,
            params: CategoryParams,
            body: NoBody,
            response: responses(
              { 200: CategoryResource },
              [...AUTHENTICATED, ...KEYED, ...VERSIONED],
              pick(categoryProblems, 'category-not-found', rejection),
            ),
          },
        },
        (request, reply) =>
          runCommand(write, request, reply, {
            presenter: category,
            problems: categoryProblems,
            run: (context, options) =>
              handle(write.commands, categories, request.params.id, { type, by: requester(request) }, context, options),
          }),
      );
    }

    app.delete(
      '/categories/:id',
      {
        config: USER,
        schema: {
          operationId: 'deleteCategory',
          tags: ['categories'],
          summary: 'Delete a category, and say what becomes of its tasks',
          params: CategoryParams,
          querystring: DeleteCategoryQuery,
          body: NoBody,
          response: responses(
            { 204: NoBody },
            [...AUTHENTICATED, ...KEYED, ...VERSIONED],
            pick(categoryProblems, 'category-not-found', 'category-not-empty'),
          ),
        },
      },
      (request, reply) =>
        runCommand(write, request, reply, {
          presenter: category,
          problems: categoryProblems,
          inSteps: true,
          run: (context, options) => {
            const tasksTo = request.query.tasks === 'uncategorize' ? 'list' : request.query.tasks;
            const wish: DeleteCategory = { id: request.params.id, by: requester(request), tasksTo };
            return deleteCategory({ commands: write.commands, database }, wish, context, options);
          },
        }),
    );
  };
