/**
 * A task goes only into a category that its owner has and that takes tasks, and that stays so until the commit. One
 * that is there already stays, whatever became of the category.
 */
import type { CategoryId } from '#contracts/task.ts';
import type { Reliance } from '#platform/commit/command-handler.ts';
import { type Rejected, rejected } from '#platform/commit/outcome.ts';
import { streamName } from '#platform/event-store/event.ts';
import type { CategoryRow } from '../read-models/category-list.ts';
import { categories } from './aggregates.ts';

export type CategoryFault = 'unknown-category' | 'category-archived';

export const relyOnCategory = async (
  from: CategoryId | null | undefined,
  id: CategoryId | null | undefined,
  find: (id: CategoryId) => Promise<CategoryRow | undefined>,
): Promise<Reliance | Rejected<CategoryFault>> => {
  if (id === null || id === undefined || id === from) return [];
  const row = await find(id);
  if (row === undefined) {
    return rejected('unknown-category', { pointer: '/categoryId', code: 'unknown', detail: 'is no category of yours' });
  }
  if (row.status !== 'active') return rejected('category-archived');
  return [{ stream: streamName(categories.streamPrefix, id), expected: row.version, events: [] }];
};
