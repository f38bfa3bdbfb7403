/**
 * The whole truth about a task; no I/O, clock or ids.
 *
 *   CreateTask ─► open ──CompleteTask──► completed
 *                  ▲ ◄────ReopenTask───────┘
 *   DeleteTask puts either into the trash, RestoreTask takes it back as it was; in the trash nothing else is possible.
 *
 * Time passes over open tasks in the list: a day before one is due it is reminded of, then it is overdue, each once for
 * a due instant, whatever becomes of the task in between.
 */
import type { Instant } from '#contracts/schema.ts';
import type { CategoryId, TaskFields } from '#contracts/task.ts';
import type { UserId } from '#contracts/user.ts';
import { applyChanges, changesBetween, type Decider, type Rejection, reject } from '#platform/decider.ts';
import type { TaskEvent } from '../events.ts';
import { type Deadline, deadlineOf, isBefore } from './due.ts';

export type Task = {
  readonly ownerId: UserId;
  readonly fields: TaskFields;
  readonly status: 'open' | 'completed';
  readonly place: 'list' | 'trash';
  readonly deadline: Deadline | null;
  /** The due instants that it was reminded of, and those at which it became overdue. */
  readonly reminded: readonly Instant[];
  readonly overdue: readonly Instant[];
};

/** PassTime comes from the service's own timer, and from nobody else. */
export type TaskCommand = OwnerCommand | { readonly type: 'PassTime'; readonly now: Instant };
/** `by` is who asks: another's task is an absent one. */
export type OwnerCommand = { readonly by: UserId } & (
  | { readonly type: 'CreateTask'; readonly fields: TaskFields }
  | { readonly type: 'UpdateTask'; readonly changes: Partial<TaskFields> }
  | { readonly type: 'CompleteTask' }
  | { readonly type: 'ReopenTask' }
  | { readonly type: 'DeleteTask' }
  | { readonly type: 'RestoreTask' }
  /** Its category is going away: the task stays in the list or goes to the trash; one that lies there lets go of it too. */
  | { readonly type: 'LeaveCategory'; readonly from: CategoryId; readonly to: 'list' | 'trash' }
);

export type TaskRejection =
  | 'task-already-exists'
  | 'task-not-found'
  | 'task-deleted'
  | 'task-not-deleted'
  | 'task-already-completed'
  | 'task-not-completed';

export const task: Decider<Task, TaskCommand, TaskEvent, TaskRejection, 'task.created'> = {
  starts: {
    'task.created': ({ data: { ownerId, ...fields } }, { occurredAt }) => ({
      ownerId,
      fields,
      status: 'open',
      place: 'list',
      deadline: fields.due && deadlineOf(fields.due, occurredAt),
      reminded: [],
      overdue: [],
    }),
  },
  continues: {
    'task.updated': (task, { data: { changes } }, { occurredAt }) => {
      const updated = { ...task, fields: applyChanges(task.fields, changes) };
      if (changes.due === undefined) return updated;
      const deadline = changes.due.to && deadlineOf(changes.due.to, occurredAt);
      // The same instant in other words was not set anew.
      return deadline?.at === task.deadline?.at ? updated : { ...updated, deadline };
    },
    'task.completed': (task) => ({ ...task, status: 'completed' }),
    'task.reopened': (task) => ({ ...task, status: 'open' }),
    'task.deleted': (task) => ({ ...task, place: 'trash' }),
    'task.restored': (task) => ({ ...task, place: 'list' }),
    'task.reminder_due': (task, { data }) => ({ ...task, reminded: [...task.reminded, data.dueAt] }),
    'task.overdue': (task, { data }) => ({ ...task, overdue: [...task.overdue, data.dueAt] }),
  },
  decide: (task, command) => {
    if (command.type === 'CreateTask') {
      if (task) return reject('task-already-exists');
      return [{ type: 'task.created', data: { ownerId: command.by, ...command.fields } }];
    }
    if (command.type === 'PassTime') return task ? passTime(task, command.now) : reject('task-not-found');
    if (!task || task.ownerId !== command.by) return reject('task-not-found');
    return task.place === 'trash' ? decideInTrash(task, command) : decideInList(task, command);
  },
};

/** When time has something to say about a task. */
export const nextDue = ({ status, place, deadline, reminded, overdue }: Task): Instant | null => {
  if (status === 'completed' || place === 'trash') return null;
  if (deadline === null || overdue.includes(deadline.at)) return null;
  return deadline.remindAt === null || reminded.includes(deadline.at) ? deadline.at : deadline.remindAt;
};

type Later = Exclude<OwnerCommand, { type: 'CreateTask' }>;
type Decision = readonly TaskEvent[] | Rejection<TaskRejection>;

const decideInList = (task: Task, command: Later): Decision => {
  switch (command.type) {
    case 'UpdateTask':
      return update(task, command.changes);
    case 'CompleteTask':
      return task.status === 'completed' ? reject('task-already-completed') : [{ type: 'task.completed', data: {} }];
    case 'ReopenTask':
      return task.status === 'open' ? reject('task-not-completed') : [{ type: 'task.reopened', data: {} }];
    case 'DeleteTask':
      return [{ type: 'task.deleted', data: {} }];
    case 'RestoreTask':
      return reject('task-not-deleted');
    case 'LeaveCategory': {
      const left = uncategorize(task, command.from);
      return left.length > 0 && command.to === 'trash' ? [...left, { type: 'task.deleted', data: {} }] : left;
    }
  }
};

const decideInTrash = (task: Task, command: Later): Decision => {
  switch (command.type) {
    case 'UpdateTask':
    case 'CompleteTask':
    case 'ReopenTask':
    case 'DeleteTask':
      return reject('task-deleted');
    case 'RestoreTask':
      return [{ type: 'task.restored', data: {} }];
    case 'LeaveCategory':
      return uncategorize(task, command.from);
  }
};

const passTime = (task: Task, now: Instant): readonly TaskEvent[] => {
  const due = nextDue(task);
  if (due === null || task.deadline === null || isBefore(now, due)) return [];
  const { at } = task.deadline;
  return [{ type: isBefore(now, at) ? 'task.reminder_due' : 'task.overdue', data: { dueAt: at } }];
};

const update = (task: Task, wanted: Partial<TaskFields>): readonly TaskEvent[] => {
  const changes = changesBetween(task.fields, wanted);
  return Object.keys(changes).length === 0 ? [] : [{ type: 'task.updated', data: { changes } }];
};

const uncategorize = (task: Task, from: CategoryId): readonly TaskEvent[] =>
  task.fields.categoryId === from ? update(task, { categoryId: null }) : [];
