/** The task service's aggregates, as the platform carries out their commands. */
import { aggregate } from '#platform/commit/aggregate.ts';
import { category } from '../domain/category.ts';
import { nextDue, task } from '../domain/task.ts';
import { categoryList } from '../read-models/category-list.ts';
import { taskList } from '../read-models/task-list.ts';

export const tasks = aggregate({
  streamPrefix: 'task',
  decider: task,
  subject: ({ ownerId }) => ownerId,
  readModel: taskList,
  notFound: 'task-not-found',
  nextDue,
});

export const categories = aggregate({
  streamPrefix: 'category',
  decider: category,
  subject: ({ ownerId }) => ownerId,
  readModel: categoryList,
  notFound: 'category-not-found',
});
