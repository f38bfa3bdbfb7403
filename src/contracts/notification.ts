/** The notification service's words for others: what somebody is told of, on what way, and what became of it. */
import Type, { type Static } from 'typebox';
import type { Brand } from '#platform/decider.ts';
import { closed, type EventsOf, event, Instant, id, nullable, oneOf, personal } from './schema.ts';
import { TaskId, TaskTitle } from './task.ts';
import { UserId, Username } from './user.ts';

export type NotificationId = Brand<string, 'NotificationId'>;
export const NotificationId = id<'NotificationId'>(
  'A notification: of one cause, by one rule, to one person, on one way',
);

export const Channel = oneOf('email', 'in_app');
export type Channel = Static<typeof Channel>;
/** Why somebody is told: each rule has words of its own. */
export const Rule = oneOf('welcome', 'task_reminder', 'task_overdue', 'task_completed');
export type Rule = Static<typeof Rule>;
/** What a person may decide about a notification: nothing (security), or, one day, whether and when they want it. */
export const NotificationClass = oneOf('security', 'transactional', 'reminder');
export type NotificationClass = Static<typeof NotificationClass>;
/** What it is about, for whoever wants to look there. */
export const About = nullable(closed({ type: oneOf('task'), id: TaskId }));
export type About = Static<typeof About>;

/** What the words of a rule are filled with; null = erased, or not known. */
const WelcomeParams = closed({ username: nullable(Username) });
export type WelcomeParams = Static<typeof WelcomeParams>;
const TaskParams = closed({ title: nullable(TaskTitle), dueAt: nullable(Instant) });
export type TaskParams = Static<typeof TaskParams>;

/** Who or what carries mails. */
export const Provider = oneOf('smtp', 'mailbox');
export type Provider = Static<typeof Provider>;
/** What went wrong with a mail, in a word that stays the same: `smtp-550`, `timeout`, `recipient-unknown`. */
export const FailureCode = Type.String({ pattern: '^[a-z0-9]+(-[a-z0-9]+)*$', maxLength: 64, examples: ['smtp-550'] });

export const attempts = {
  n: Type.Integer({ minimum: 0, description: 'how many attempts to send it were made, this one counted' }),
};

const topic = 'notification.events';
const nothing = closed({});

/** All but `requested` and `suppressed`, which every notification may have, belong to one channel. */
export const NOTIFICATION_EVENTS = {
  'notification.requested': event({
    topic,
    summary: 'Somebody is to be told something, on one way.',
    schema: closed({
      recipientId: UserId,
      channel: Channel,
      rule: Rule,
      class: NotificationClass,
      about: About,
      params: personal(Type.Union([WelcomeParams, TaskParams])),
    }),
    example: {
      recipientId: '01939d5e-0000-7000-8000-000000000001' as UserId,
      channel: 'email',
      rule: 'task_reminder',
      class: 'reminder',
      about: { type: 'task', id: '01939d5e-0000-7000-8000-000000000002' as TaskId },
      params: { title: 'Water the plants' as TaskTitle, dueAt: '2026-12-01T09:00:00.000Z' },
    },
  }),
  'notification.suppressed': event({
    topic,
    summary: 'Somebody is not told, and why.',
    schema: closed({ reason: oneOf('too_old') }),
    example: { reason: 'too_old' },
  }),
  'notification.sent': event({
    topic,
    summary: 'A mail was accepted by whoever carries it.',
    schema: closed({ provider: Provider, ...attempts }),
    example: { provider: 'smtp', n: 1 },
  }),
  'notification.failed': event({
    topic,
    summary: 'A mail was given up: refused for good, or after the last attempt.',
    schema: closed({ reason: oneOf('permanent', 'exhausted'), code: FailureCode, ...attempts }),
    example: { reason: 'permanent', code: 'smtp-550', n: 1 },
  }),
  'notification.read': event({ topic, summary: 'An entry of an inbox was read.', schema: nothing, example: {} }),
  'notification.unread': event({ topic, summary: 'An entry counts as new again.', schema: nothing, example: {} }),
  'notification.archived': event({ topic, summary: 'An entry was put away.', schema: nothing, example: {} }),
  'notification.unarchived': event({ topic, summary: 'An entry was taken back.', schema: nothing, example: {} }),
} as const;

type EventOf<T extends keyof typeof NOTIFICATION_EVENTS> = EventsOf<Pick<typeof NOTIFICATION_EVENTS, T>>;
export type NotificationRequested = EventOf<'notification.requested'>;
export type MailEvent = EventOf<
  'notification.requested' | 'notification.suppressed' | 'notification.sent' | 'notification.failed'
>;
export type InboxEvent = EventOf<
  | 'notification.requested'
  | 'notification.suppressed'
  | 'notification.read'
  | 'notification.unread'
  | 'notification.archived'
  | 'notification.unarchived'
>;
