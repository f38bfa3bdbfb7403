/** What a rejection of the task service is over HTTP. A code without a problem does not compile. */
import type { ProblemTable } from '#platform/http/problems.ts';
import type { CategoryFault } from '../application/rely-on-category.ts';
import type { CategoryRejection } from '../domain/category.ts';
import type { TaskRejection } from '../domain/task.ts';

export const taskProblems = {
  'task-not-found': {
    status: 404,
    title: 'There is no such task',
    detail: 'There is no task with this id, or you may not see it.',
  },
  'task-already-exists': {
    status: 409,
    title: 'The task already exists',
    detail: 'A task with this id already exists.',
  },
  'task-deleted': { status: 409, title: 'The task is in the trash', detail: 'Restore it first.' },
  'task-not-deleted': { status: 409, title: 'The task is not in the trash', detail: 'There is nothing to restore.' },
  'task-already-completed': {
    status: 409,
    title: 'The task is already completed',
    detail: 'Reopen it to complete it again.',
  },
  'task-not-completed': { status: 409, title: 'The task is open', detail: 'Only a completed task can be reopened.' },
  'unknown-category': {
    status: 422,
    title: 'There is no such category',
    detail: 'A task can only go into a category of your own.',
  },
  'category-archived': { status: 409, title: 'The category is archived', detail: 'Take it out of the archive first.' },
} as const satisfies ProblemTable<TaskRejection | CategoryFault>;

export const categoryProblems = {
  'category-not-found': {
    status: 404,
    title: 'There is no such category',
    detail: 'There is no category with this id, or you may not see it.',
  },
  'category-already-exists': {
    status: 409,
    title: 'The category already exists',
    detail: 'A category with this id already exists.',
  },
  'category-archived': taskProblems['category-archived'],
  'category-not-archived': {
    status: 409,
    title: 'The category is not archived',
    detail: 'There is nothing to take out of the archive.',
  },
  'category-not-empty': {
    status: 409,
    title: 'The category has tasks',
    detail: 'Say what is to become of them: ?tasks=uncategorize keeps them, ?tasks=trash moves them to the trash.',
  },
} as const satisfies ProblemTable<CategoryRejection | 'category-not-empty'>;
