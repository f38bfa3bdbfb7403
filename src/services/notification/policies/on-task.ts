/** What owners are told of their tasks. */
import type { Instant } from '#contracts/schema.ts';
import type { TaskId, TaskTitle } from '#contracts/task.ts';
import type { UserId } from '#contracts/user.ts';
import type { DeliveryMeta } from '#platform/decider.ts';
import type { Notice } from '../domain/notice.ts';
import type { HeardTaskEvent } from '../events.ts';
import { entryOf, mailOf, type Wish } from './wish.ts';

export type KnownTask = { readonly id: TaskId; readonly ownerId: UserId; readonly title: TaskTitle | null };

export const onTask: {
  readonly [T in HeardTaskEvent['type']]: (
    event: Extract<HeardTaskEvent, { type: T }>,
    task: KnownTask | undefined,
    meta: Pick<DeliveryMeta, 'late'>,
  ) => readonly Wish[];
} = {
  'task.created': () => [],
  'task.updated': () => [],
  'task.completed': (_event, task, { late }) => [entryOf(noticeOf('task_completed', task, null), late)],
  'task.reminder_due': ({ data }, task, { late }) => everyWay(noticeOf('task_reminder', task, data.dueAt), late),
  'task.overdue': ({ data }, task, { late }) => everyWay(noticeOf('task_overdue', task, data.dueAt), late),
};

const everyWay = (notice: Notice, late: boolean): readonly Wish[] => [mailOf(notice, late), entryOf(notice, late)];

const noticeOf = (
  rule: 'task_completed' | 'task_reminder' | 'task_overdue',
  task: KnownTask | undefined,
  dueAt: Instant | null,
): Notice => {
  if (task === undefined) throw new Error('something happened to a task of which nobody knows whose it is');
  const { id, ownerId: recipientId, title } = task;
  return { recipientId, about: { type: 'task', id }, rule, params: { title, dueAt } };
};
