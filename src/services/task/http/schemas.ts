/** What the task service reads and answers over HTTP: the contract's fields, and nothing written twice. */
import Type, { type Static } from 'typebox';
import { closed, defaulted, Instant, nullable, oneOf, optional } from '#contracts/schema.ts';
import { CategoryId, CategoryName, categoryFields, Priority, TaskId, TaskTitle, taskFields } from '#contracts/task.ts';
import { UserId } from '#contracts/user.ts';
import { listQuery } from '#platform/http/schemas.ts';
import type { CategoryRow } from '../read-models/category-list.ts';
import type { ShownTask, TaskRow } from '../read-models/task-list.ts';
import { SORTS, type Sort } from '../read-models/task-search.ts';

export const CreateTaskBody = closed(
  defaulted(taskFields, { description: null, priority: 'medium', categoryId: null, due: null }),
);
export const UpdateTaskBody = closed(optional(taskFields));
export const TaskResource = Type.Object(
  {
    id: TaskId,
    version: Type.Integer(),
    ownerId: UserId,
    ...taskFields,
    title: Type.Union([TaskTitle, Type.Null()], { description: 'null once its owner was erased' }),
    status: oneOf('open', 'completed'),
    dueAt: Type.Union([Instant, Type.Null()], { description: 'the instant from which it is overdue' }),
    createdAt: Instant,
    updatedAt: Instant,
    completedAt: nullable(Instant),
    deletedAt: Type.Union([Instant, Type.Null()], { description: 'since when it lies in the trash' }),
  },
  { title: 'Task' },
);
export type TaskResource = Static<typeof TaskResource>;
/** A row that was just folded has more than one that was read. */
export const presentTask = (row: ShownTask | TaskRow): TaskResource => {
  if (!('searchText' in row)) return row;
  const { titleKey: _title, priorityRank: _rank, searchText: _words, ...task } = row;
  return task;
};

export const TaskParams = Type.Object({ id: TaskId });
const sort = Type.Unsafe<Sort>({
  type: 'string',
  enum: SORTS.flatMap((field) => [field, `-${field}`]),
  default: '-createdAt',
  description: '- for descending',
});
export const TrashQuery = closed({ ...listQuery, sort });
export const TaskQuery = closed({
  ...listQuery,
  sort,
  status: Type.Optional(oneOf('open', 'completed')),
  priority: Type.Optional(
    Type.Array(Priority, { minItems: 1, maxItems: 4, description: 'any of these; may be repeated' }),
  ),
  categoryId: Type.Optional(CategoryId),
  dueBefore: Type.Optional(Instant),
  dueAfter: Type.Optional(Instant),
  overdue: Type.Optional(Type.Boolean()),
  q: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 200,
      description:
        'words, each of which must begin some word of title or description; case, accents and punctuation do not count',
    }),
  ),
});
export const HistoryQuery = closed({ limit: listQuery.limit, cursor: listQuery.cursor });

export const CreateCategoryBody = closed(defaulted(categoryFields, { color: null, order: 0 }));
export const UpdateCategoryBody = closed(optional(categoryFields));
export const CategoryResource = Type.Object(
  {
    id: CategoryId,
    version: Type.Integer(),
    ownerId: UserId,
    ...categoryFields,
    name: nullable(CategoryName),
    status: oneOf('active', 'archived', 'deleted'),
    createdAt: Instant,
    updatedAt: Instant,
  },
  { title: 'Category' },
);
export type CategoryResource = Static<typeof CategoryResource>;
export const presentCategory = (category: CategoryRow): CategoryResource => category;

export const CategoryParams = Type.Object({ id: CategoryId });
export const CategoryQuery = closed({ ...listQuery, status: Type.Optional(oneOf('active', 'archived')) });
export const DeleteCategoryQuery = closed({
  tasks: Type.Optional(
    Type.Unsafe<'uncategorize' | 'trash'>({
      type: 'string',
      enum: ['uncategorize', 'trash'],
      description: 'what becomes of its tasks; without this, a category with tasks is not deleted',
    }),
  ),
});
