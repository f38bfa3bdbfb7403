import { describe, test } from 'vitest';
import type { CategoryEvent, CategoryFields, CategoryName, Color } from '#contracts/task.ts';
import type { UserId } from '#contracts/user.ts';
import { scenario } from '#platform/testing/scenario.ts';
import { category } from './category.ts';

const { given } = scenario(category);
const ada = '01939d5e-0000-7000-8000-000000000001' as UserId;
const bob = '01939d5e-0000-7000-8000-000000000002' as UserId;
const fields: CategoryFields = { name: 'Home' as CategoryName, color: '#3366ff' as Color, order: 0 };
const created: CategoryEvent = { type: 'category.created', data: { ownerId: ada, ...fields } };
const archived: CategoryEvent = { type: 'category.archived', data: {} };
const unarchived: CategoryEvent = { type: 'category.unarchived', data: {} };
const deleted: CategoryEvent = { type: 'category.deleted', data: {} };

test('a category is made for whoever asks', () =>
  given().when({ type: 'CreateCategory', by: ada, fields }).thenEmits(created));
test('a category is made once', () =>
  given(created).when({ type: 'CreateCategory', by: ada, fields }).thenRejected('category-already-exists'));
test('a change tells from what to what', () =>
  given(created)
    .when({ type: 'UpdateCategory', by: ada, changes: { order: 3 } })
    .thenEmits({ type: 'category.updated', data: { changes: { order: { from: 0, to: 3 } } } }));
test('an update that changes no field emits nothing', () =>
  given(created).when({ type: 'UpdateCategory', by: ada, changes: fields }).thenNothing());

describe('the archive', () => {
  test('takes a category', () => given(created).when({ type: 'ArchiveCategory', by: ada }).thenEmits(archived));
  test('takes it once', () =>
    given(created, archived).when({ type: 'ArchiveCategory', by: ada }).thenRejected('category-archived'));
  test('lets nothing be changed', () =>
    given(created, archived)
      .when({ type: 'UpdateCategory', by: ada, changes: { order: 3 } })
      .thenRejected('category-archived'));
  test('gives it back', () =>
    given(created, archived).when({ type: 'UnarchiveCategory', by: ada }).thenEmits(unarchived));
  test('gives back only what lies in it', () =>
    given(created).when({ type: 'UnarchiveCategory', by: ada }).thenRejected('category-not-archived'));
  test('an archived category may be deleted', () =>
    given(created, archived).when({ type: 'DeleteCategory', by: ada }).thenEmits(deleted));
});

describe('another’s category, and a deleted one, are absent', () => {
  const commands = [
    { type: 'UpdateCategory', changes: { order: 3 } },
    { type: 'ArchiveCategory' },
    { type: 'UnarchiveCategory' },
    { type: 'DeleteCategory' },
  ] as const;
  test.each(commands)('$type by somebody else', (command) =>
    given(created)
      .when({ ...command, by: bob })
      .thenRejected('category-not-found'));
  test.each(commands)('$type on nothing', (command) =>
    given()
      .when({ ...command, by: ada })
      .thenRejected('category-not-found'));
  test.each(commands)('$type on a deleted one', (command) =>
    given(created, deleted)
      .when({ ...command, by: ada })
      .thenRejected('category-not-found'));
});
