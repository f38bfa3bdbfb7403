/** What a policy wants: a command on an aggregate of ours, as data. */
import type { InboxCommand } from '../domain/inbox-entry.ts';
import type { MailCommand } from '../domain/mail.ts';
import type { Notice } from '../domain/notice.ts';

/** `key`: what makes the notification's id, beside its cause. The same twice is one notification. */
export type Wish = { readonly key: readonly [rule: string, recipient: string, channel: string] } & (
  | { readonly to: 'mail'; readonly command: MailCommand }
  | { readonly to: 'inbox'; readonly command: InboxCommand }
);

export const mailOf = (notice: Notice, late: boolean): Wish => ({
  to: 'mail',
  key: [notice.rule, notice.recipientId, 'email'],
  command: { type: 'RequestMail', notice, late },
});
export const entryOf = (notice: Notice, late: boolean): Wish => ({
  to: 'inbox',
  key: [notice.rule, notice.recipientId, 'in_app'],
  command: { type: 'DeliverToInbox', notice, late },
});
