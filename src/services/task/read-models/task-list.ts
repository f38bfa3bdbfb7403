/** Tasks as their owners see them: row and fold. The queries over them are in task-search.ts. */
import type { CategoryId, Due, Priority, TaskDescription, TaskFields, TaskId, TaskTitle } from '#contracts/task.ts';
import type { UserId } from '#contracts/user.ts';
import { clearFields, newValues } from '#platform/decider.ts';
import { readModel } from '#platform/read-models/fold.ts';
import {
  instant,
  integer,
  internal,
  json,
  orNull,
  type RowOf,
  type ShownOf,
  smallint,
  table,
  text,
  uuid,
} from '#platform/read-models/table.ts';
import { type Database, statement } from '#platform/sql/database.ts';
import { dueInstant } from '../domain/due.ts';
import type { TaskEvent } from '../events.ts';
import { searchWords } from './search-words.ts';

const columns = {
  id: uuid<TaskId>(),
  version: integer(),
  ownerId: uuid<UserId>(),
  title: orNull(text<TaskTitle>()),
  description: orNull(text<TaskDescription>()),
  status: text<'open' | 'completed'>(),
  priority: text<Priority>(),
  categoryId: orNull(uuid<CategoryId>()),
  due: orNull(json<Due>()),
  dueAt: orNull(instant()),
  createdAt: instant(),
  updatedAt: instant(),
  completedAt: orNull(instant()),
  deletedAt: orNull(instant()),
  /** What lists are sorted by, the same on every machine. */
  titleKey: internal(text()),
  priorityRank: internal(smallint()),
  /** What is searched in. */
  searchText: internal(text()),
};
export const taskTable = table('task_list', columns, {
  keptBy: 'ownerId',
  indexes: {
    newest: { on: ['ownerId', 'createdAt', 'id'] },
    due: { on: ['ownerId', 'dueAt'], where: 'due_at is not null' },
    category: { on: ['categoryId'], where: 'category_id is not null' },
  },
});
export type TaskRow = RowOf<typeof columns>;
export type ShownTask = ShownOf<typeof columns>;

const RANK: Readonly<Record<Priority, number>> = { low: 1, medium: 2, high: 3, urgent: 4 };
type Fields = Pick<TaskRow, 'title' | 'description' | 'priority' | 'categoryId' | 'due'>;
/** What follows from the fields a person sets. */
const derived = ({ title, description, priority, due }: Fields) => ({
  titleKey: (title ?? '').normalize('NFKC').toLowerCase(),
  priorityRank: RANK[priority],
  dueAt: due && dueInstant(due),
  searchText: ` ${searchWords(`${title ?? ''} ${description ?? ''}`).join(' ')}`,
});

export const taskList = readModel<TaskRow, TaskEvent, 'task.created'>(taskTable, {
  starts: {
    'task.created': ({ data }, { streamId, occurredAt }) => {
      const { ownerId, ...fields } = clearFields(data);
      return {
        id: streamId as TaskId, // a stream's name was made from it
        ownerId,
        ...fields,
        ...derived(fields),
        status: 'open',
        createdAt: occurredAt,
        updatedAt: occurredAt,
        completedAt: null,
        deletedAt: null,
      };
    },
  },
  continues: {
    'task.updated': (row, { data }, { occurredAt }) => {
      const changed = { ...row, ...clearFields(newValues<TaskFields>(data.changes)) };
      return { ...changed, ...derived(changed), updatedAt: occurredAt };
    },
    'task.completed': (row, _event, { occurredAt }) => ({
      ...row,
      status: 'completed',
      completedAt: occurredAt,
      updatedAt: occurredAt,
    }),
    'task.reopened': (row, _event, { occurredAt }) => ({
      ...row,
      status: 'open',
      completedAt: null,
      updatedAt: occurredAt,
    }),
    'task.deleted': (row, _event, { occurredAt }) => ({ ...row, deletedAt: occurredAt, updatedAt: occurredAt }),
    'task.restored': (row, _event, { occurredAt }) => ({ ...row, deletedAt: null, updatedAt: occurredAt }),
    // Nobody changed anything that is seen here: only the version moves, for it is the stream's.
    'task.reminder_due': (row) => row,
    'task.overdue': (row) => row,
  },
});

const BY_ID = statement('task-by-id', `select ${taskTable.selected} from task_list where id = $1 and owner_id = $2`);
/** One task, in the list or the trash; undefined when it is another's. */
export const findTask = async (database: Database, id: TaskId, owner: UserId): Promise<ShownTask | undefined> =>
  (await database.read<ShownTask>(BY_ID, [id, owner]))[0];

const IN_CATEGORY = statement(
  'task-in-category',
  'select id from task_list where category_id = $1 and owner_id = $2 order by id limit $3',
);
/** Ids of tasks of a category, those in the trash too. */
export const findTasksInCategory = async (
  database: Database,
  category: CategoryId,
  owner: UserId,
  limit: number,
): Promise<readonly TaskId[]> =>
  (await database.read<{ id: TaskId }>(IN_CATEGORY, [category, owner, limit])).map(({ id }) => id);
/** For a commit that must find no task in the category. */
export const anyTaskInCategory = statement(
  'task-any-in-category',
  'select 1 from task_list where category_id = $1 limit 1',
);
