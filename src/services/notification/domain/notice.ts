/** What somebody is to be told, on whatever way. */
import type {
  About,
  Channel,
  NotificationClass,
  NotificationRequested,
  Rule,
  TaskParams,
  WelcomeParams,
} from '#contracts/notification.ts';
import type { UserId } from '#contracts/user.ts';

/** A rule with what its words are filled with, to whom, and what it is about. */
export type Notice = { readonly recipientId: UserId; readonly about: About } & (
  | { readonly rule: 'welcome'; readonly params: WelcomeParams }
  | { readonly rule: 'task_reminder' | 'task_overdue' | 'task_completed'; readonly params: TaskParams }
);

const CLASS: Readonly<Record<Rule, NotificationClass>> = {
  welcome: 'transactional',
  task_reminder: 'reminder',
  task_overdue: 'reminder',
  task_completed: 'transactional',
};

export const requested = (channel: Channel, { recipientId, about, rule, params }: Notice): NotificationRequested => ({
  type: 'notification.requested',
  data: { recipientId, channel, rule, class: CLASS[rule], about, params },
});
