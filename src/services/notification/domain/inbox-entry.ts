/**
 * The whole truth about an entry of somebody's inbox; no I/O, clock or ids.
 *
 *   DeliverToInbox ─► new ◄──UpdateInboxEntry──► read   and beside that, in the inbox ◄──UpdateInboxEntry──► archived
 *        └─ when its cause lies too long ago ─► suppressed: nobody ever sees it
 */
import type { UserId } from '#contracts/user.ts';
import { type Decider, reject } from '#platform/decider.ts';
import type { InboxEvent } from '../events.ts';
import { type Notice, requested } from './notice.ts';

export type InboxEntry = {
  readonly recipientId: UserId;
  readonly suppressed: boolean;
  readonly read: boolean;
  readonly archived: boolean;
};

export type InboxCommand =
  /** `late`: its cause lies so long ago that it is only noted. */
  | { readonly type: 'DeliverToInbox'; readonly notice: Notice; readonly late: boolean }
  /** `by` is who asks: another's entry is an absent one. What is not said stays as it is. */
  | ({ readonly type: 'UpdateInboxEntry'; readonly by: UserId } & Marks);
export type Marks = { readonly read?: boolean | undefined; readonly archived?: boolean | undefined };

export type InboxRejection = 'entry-not-found';

export const inboxEntry: Decider<InboxEntry, InboxCommand, InboxEvent, InboxRejection, 'notification.requested'> = {
  starts: {
    'notification.requested': ({ data: { recipientId } }) => ({
      recipientId,
      suppressed: false,
      read: false,
      archived: false,
    }),
  },
  continues: {
    'notification.suppressed': (entry) => ({ ...entry, suppressed: true }),
    'notification.read': (entry) => ({ ...entry, read: true }),
    'notification.unread': (entry) => ({ ...entry, read: false }),
    'notification.archived': (entry) => ({ ...entry, archived: true }),
    'notification.unarchived': (entry) => ({ ...entry, archived: false }),
  },
  decide: (entry, command) => {
    if (command.type === 'DeliverToInbox') {
      if (entry) return []; // its id says of what cause it is: it lies there already
      const asked = requested('in_app', command.notice);
      return command.late ? [asked, { type: 'notification.suppressed', data: { reason: 'too_old' } }] : [asked];
    }
    if (!entry || entry.suppressed || entry.recipientId !== command.by) return reject('entry-not-found');
    const { read = entry.read, archived = entry.archived } = command;
    const marked: InboxEvent[] = [];
    if (read !== entry.read) marked.push({ type: read ? 'notification.read' : 'notification.unread', data: {} });
    if (archived !== entry.archived)
      marked.push({ type: archived ? 'notification.archived' : 'notification.unarchived', data: {} });
    return marked;
  },
};
