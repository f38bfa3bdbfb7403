/** The task service's words for others. One field schema serves the event, the HTTP body and the type. */
import Type, { type Static } from 'typebox';
import type { Brand } from '#platform/decider.ts';
import { branded, changesOf, closed, type EventsOf, event, Instant, id, nullable, oneOf, personal } from './schema.ts';
import { TimeZone, UserId } from './user.ts';

export type TaskId = Brand<string, 'TaskId'>;
export const TaskId = id<'TaskId'>('A task');
export type CategoryId = Brand<string, 'CategoryId'>;
export const CategoryId = id<'CategoryId'>('A category');

export type TaskTitle = Brand<string, 'TaskTitle'>;
export const TaskTitle = branded<TaskTitle>(
  Type.String({ minLength: 1, maxLength: 200, pattern: '\\S', examples: ['Water the plants'] }),
);
export type TaskDescription = Brand<string, 'TaskDescription'>;
export const TaskDescription = branded<TaskDescription>(
  Type.String({ maxLength: 10_000, description: 'plain text or Markdown' }),
);
export const Priority = oneOf('low', 'medium', 'high', 'urgent');
export type Priority = Static<typeof Priority>;
export const Due = Type.Union([
  Type.Object({ at: Instant }, { additionalProperties: false, title: 'due at an instant' }),
  Type.Object(
    { date: Type.String({ format: 'date' }), zone: TimeZone },
    { additionalProperties: false, title: 'due by the end of a day in a zone' },
  ),
]);
export type Due = Static<typeof Due>;

/** The fields that a person sets on a task. */
export const taskFields = {
  title: TaskTitle,
  description: nullable(TaskDescription),
  priority: Priority,
  categoryId: nullable(CategoryId),
  due: nullable(Due),
};
/** As events carry them: sealed where they are words of somebody's own. */
const task = { ...taskFields, title: personal(taskFields.title), description: personal(taskFields.description) };
const TaskFields = closed(task);
export type TaskFields = Static<typeof TaskFields>;

export type CategoryName = Brand<string, 'CategoryName'>;
export const CategoryName = branded<CategoryName>(
  Type.String({ minLength: 1, maxLength: 100, pattern: '\\S', examples: ['Home'] }),
);
export type Color = Brand<string, 'Color'>;
export const Color = branded<Color>(Type.String({ pattern: '^#[0-9a-f]{6}$', examples: ['#3366ff'] }));
export const categoryFields = {
  name: CategoryName,
  color: nullable(Color),
  order: Type.Integer({ minimum: 0, maximum: 1_000_000, description: 'where it stands among the owner’s categories' }),
};
const category = { ...categoryFields, name: personal(categoryFields.name) };
const CategoryFields = closed(category);
export type CategoryFields = Static<typeof CategoryFields>;

const topic = 'task.events';
const nothing = closed({});
const ownerId = '01939d5e-0000-7000-8000-000000000001' as UserId;
const title = 'Water the plants' as TaskTitle;

export const TASK_EVENTS = {
  'task.created': event({
    topic,
    summary: 'A task was created.',
    schema: closed({ ownerId: UserId, ...task }),
    example: {
      ownerId,
      title,
      description: null,
      priority: 'high',
      categoryId: null,
      due: { at: '2026-12-01T09:00:00Z' },
    },
  }),
  'task.updated': event({
    topic,
    summary: 'Fields of a task changed.',
    schema: closed({
      changes: changesOf(task),
    }),
    example: { changes: { priority: { from: 'high', to: 'urgent' } } },
  }),
  'task.completed': event({ topic, summary: 'A task was completed.', schema: nothing, example: {} }),
  'task.reopened': event({ topic, summary: 'A completed task was opened again.', schema: nothing, example: {} }),
  'task.deleted': event({ topic, summary: 'A task was put into the trash.', schema: nothing, example: {} }),
  'task.restored': event({ topic, summary: 'A task was taken back from the trash.', schema: nothing, example: {} }),
  'task.reminder_due': event({
    topic,
    summary: 'A task will be due within a day; emitted once for each due instant that was set earlier than that.',
    schema: closed({ dueAt: Instant }),
    example: { dueAt: '2026-12-01T09:00:00.000Z' },
  }),
  'task.overdue': event({
    topic,
    summary: 'A task was due, and is still open; emitted once for each due instant.',
    schema: closed({ dueAt: Instant }),
    example: { dueAt: '2026-12-01T09:00:00.000Z' },
  }),
} as const;
export type TaskEvent = EventsOf<typeof TASK_EVENTS>;

export const CATEGORY_EVENTS = {
  'category.created': event({
    topic,
    summary: 'A category was made.',
    schema: closed({ ownerId: UserId, ...category }),
    example: { ownerId, name: 'Home' as CategoryName, color: '#3366ff' as Color, order: 0 },
  }),
  'category.updated': event({
    topic,
    summary: 'Fields of a category changed.',
    schema: closed({
      changes: changesOf(category),
    }),
    example: { changes: { order: { from: 0, to: 3 } } },
  }),
  'category.archived': event({ topic, summary: 'A category takes no new tasks.', schema: nothing, example: {} }),
  'category.unarchived': event({ topic, summary: 'A category takes tasks again.', schema: nothing, example: {} }),
  'category.deleted': event({
    topic,
    summary: 'A category is no more; no task is in it.',
    schema: nothing,
    example: {},
  }),
} as const;
export type CategoryEvent = EventsOf<typeof CATEGORY_EVENTS>;
