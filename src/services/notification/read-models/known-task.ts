/** Whose a task is and what it is called: kept from what the task service tells. */
import type { TaskId, TaskTitle } from '#contracts/task.ts';
import type { UserId } from '#contracts/user.ts';
import { clearFields } from '#platform/decider.ts';
import type { Projection } from '#platform/read-models/projection.ts';
import { orNull, type RowOf, table, text, uuid } from '#platform/read-models/table.ts';
import type { HeardTaskEvent } from '../events.ts';

const columns = { id: uuid<TaskId>(), ownerId: uuid<UserId>(), title: orNull(text<TaskTitle>()) };
export type KnownTaskRow = RowOf<typeof columns>;

export const knownTasks: Projection<KnownTaskRow, HeardTaskEvent> = {
  table: table('known_task', columns),
  ids: (_event, { streamId }) => [streamId],
  on: {
    'task.created': (_row, { data }, { streamId }) => {
      const { ownerId, title } = clearFields(data);
      return { id: streamId as TaskId, ownerId, title }; // a stream's name was made from it
    },
    'task.updated': (row, { data: { changes } }) =>
      row && changes.title ? { ...row, ...clearFields({ title: changes.title.to }) } : row,
    'task.completed': (row) => row,
    'task.reminder_due': (row) => row,
    'task.overdue': (row) => row,
  },
};
