/**
 * The whole truth about a category; no I/O, clock or ids.
 *
 *   CreateCategory ─► active ──ArchiveCategory──► archived ; either ──DeleteCategory──► gone, for good
 *                       ▲ ◄───UnarchiveCategory──────┘
 */
import type { CategoryFields } from '#contracts/task.ts';
import type { UserId } from '#contracts/user.ts';
import { applyChanges, changesBetween, type Decider, reject } from '#platform/decider.ts';
import type { CategoryEvent } from '../events.ts';

export type Category = {
  readonly ownerId: UserId;
  readonly fields: CategoryFields;
  readonly status: 'active' | 'archived' | 'deleted';
};

export type CategoryCommand = { readonly by: UserId } & (
  | { readonly type: 'CreateCategory'; readonly fields: CategoryFields }
  | { readonly type: 'UpdateCategory'; readonly changes: Partial<CategoryFields> }
  | { readonly type: 'ArchiveCategory' }
  | { readonly type: 'UnarchiveCategory' }
  | { readonly type: 'DeleteCategory' }
);

export type CategoryRejection =
  | 'category-already-exists'
  | 'category-not-found'
  | 'category-archived'
  | 'category-not-archived';

export const category: Decider<Category, CategoryCommand, CategoryEvent, CategoryRejection, 'category.created'> = {
  starts: {
    'category.created': ({ data: { ownerId, ...fields } }) => ({ ownerId, fields, status: 'active' }),
  },
  continues: {
    'category.updated': (category, { data }) => ({ ...category, fields: applyChanges(category.fields, data.changes) }),
    'category.archived': (category) => ({ ...category, status: 'archived' }),
    'category.unarchived': (category) => ({ ...category, status: 'active' }),
    'category.deleted': (category) => ({ ...category, status: 'deleted' }),
  },
  decide: (category, command) => {
    if (command.type === 'CreateCategory') {
      if (category) return reject('category-already-exists');
      return [{ type: 'category.created', data: { ownerId: command.by, ...command.fields } }];
    }
    const visible = category && category.ownerId === command.by && category.status !== 'deleted';
    if (!visible) return reject('category-not-found');
    switch (command.type) {
      case 'UpdateCategory': {
        if (category.status === 'archived') return reject('category-archived');
        const changes = changesBetween(category.fields, command.changes);
        return Object.keys(changes).length === 0 ? [] : [{ type: 'category.updated', data: { changes } }];
      }
      case 'ArchiveCategory':
        return category.status === 'archived' ? reject('category-archived') : [{ type: 'category.archived', data: {} }];
      case 'UnarchiveCategory':
        return category.status === 'active'
          ? reject('category-not-archived')
          : [{ type: 'category.unarchived', data: {} }];
      case 'DeleteCategory':
        return [{ type: 'category.deleted', data: {} }];
    }
  },
};
