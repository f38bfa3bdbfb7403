/** The events that the notification service writes, the public ones and what is its own affair; and what it hears of tasks. */
import {
  attempts,
  FailureCode,
  NOTIFICATION_EVENTS,
  Provider,
  type MailEvent as PublicMailEvent,
} from '#contracts/notification.ts';
import { closed, type EventsOf, event, Instant, nullable } from '#contracts/schema.ts';
import type { TaskEvent } from '#contracts/task.ts';

const PRIVATE_EVENTS = {
  'notification.attempted': event({
    topic: 'notification.events.private',
    summary: 'An attempt to send a mail failed, and another will be made.',
    schema: closed({ provider: nullable(Provider), code: FailureCode, retryAt: Instant, ...attempts }),
    example: { provider: 'smtp', code: 'smtp-451', retryAt: '2026-12-01T09:00:04.000Z', n: 1 },
  }),
} as const;

export type { InboxEvent } from '#contracts/notification.ts';
export type MailEvent = PublicMailEvent | EventsOf<typeof PRIVATE_EVENTS>;
export const EVENTS = { ...NOTIFICATION_EVENTS, ...PRIVATE_EVENTS } as const;

/** What somebody is told of, and what tells whose a task is and what it is called. */
export type HeardTaskEvent = Extract<
  TaskEvent,
  { type: 'task.created' | 'task.updated' | 'task.completed' | 'task.reminder_due' | 'task.overdue' }
>;
