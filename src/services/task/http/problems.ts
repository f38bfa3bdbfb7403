/** What a rejection of the task service is over HTTP. A code without a problem does not compile. */
import type { ProblemTable } from '#platform/http/problems.ts';
import type { CategoryFault } from '../application/rely-on-category.ts';
import type { CategoryRejection } from '../domain/category.ts';
import type { TaskRejection } from '../domain/task.ts';

export const taskProblems = {
  'task-not-found': { status: 404, title: 'There is no such task', detail: 'No such task, or none that you may see.' },
  'task-already-exists': { status: 409, title: 'The task exists already', detail: 'There is a task of this id.' },
  'task-deleted': { status: 409, title: 'The task is in the trash', detail: 'Restore it first.' },
  'task-not-deleted': { status: 409, title: 'The task is not in the trash', detail: 'There is nothing to restore.' },
  'task-already-completed': {
    status: 409,
    title: 'The task is completed already',
    detail: 'Reopen it to complete it again.',
  },
  'task-not-completed': { status: 409, title: 'The task is open', detail: 'Only a completed task can be reopened.' },
  'unknown-category': {
    status: 422,
    title: 'There is no such category',
    detail: 'A task goes only into a category of yours.',
  },
  'category-archived': { status: 409, title: 'The category is archived', detail: 'Take it out of the archive first.' },
} as const satisfies ProblemTable<TaskRejection | CategoryFault>;

export const categoryProblems = {
  'category-not-found': {
    status: 404,
    title: 'There is no such category',
    detail: 'No such category, or none that you may see.',
  },
  'category-already-exists': {
    status: 409,
    title: 'The category exists already',
    detail: 'There is a category of this id.',
  },
  'category-archived': taskProblems['category-archived'],
  'category-not-archived': { status: 409, title: 'The category is not archived', detail: 'It takes tasks already.' },
  'category-not-empty': {
    status: 409,
    title: 'The category has tasks',
    detail: 'Say what becomes of them: ?tasks=uncategorize keeps them, ?tasks=trash deletes them.',
  },
} as const satisfies ProblemTable<CategoryRejection | 'category-not-empty'>;
