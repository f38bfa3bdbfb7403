/** Whom the notification service hears, and what becomes of what it hears. */
import type { NotificationId } from '#contracts/notification.ts';
import type { DeliveryMeta } from '#platform/decider.ts';
import type { Consumer } from '#platform/event-bus/consumer.ts';
import { derivedId } from '#platform/keys/ids.ts';
import { type Act, act, policy } from '#platform/policies/policy.ts';
import { onTask } from '../policies/on-task.ts';
import { onUser } from '../policies/on-user.ts';
import type { Wish } from '../policies/wish.ts';
import { knownTasks } from '../read-models/known-task.ts';
import { people } from '../read-models/person.ts';
import { inboxEntries, mails } from './aggregates.ts';

/** What is older when it is heard is noted only: whoever was away for days greets nobody of last week. */
const MAX_AGE = 24 * 60 * 60_000;

/** The id says of what cause it is, so what is wished again is one notification still. */
const actOf = ({ to, key, command }: Wish, { eventId }: DeliveryMeta): Act => {
  const id = derivedId<NotificationId>(eventId, ...key);
  return to === 'mail'
    ? act(mails, id, command, { 'mail-not-found': 'ignored', 'mail-settled': 'ignored' })
    : act(inboxEntries, id, command, { 'entry-not-found': 'ignored' });
};

/** From the beginning, for whoever registered before this service was there has tasks and an address too. */
const common = { begins: 'beginning', maxAge: MAX_AGE, act: actOf } as const;
export const CONSUMERS: readonly Consumer[] = [
  policy('notification.people', { ...common, state: people, react: onUser }),
  policy('notification.tasks', { ...common, state: knownTasks, react: onTask }),
];
