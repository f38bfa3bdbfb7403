/** What the notification service reads and answers over HTTP. */
import Type, { type Static } from 'typebox';
import { About, NotificationId, Rule } from '#contracts/notification.ts';
import { closed, Instant, nullable, optional } from '#contracts/schema.ts';
import { TaskTitle } from '#contracts/task.ts';
import { listQuery } from '#platform/http/schemas.ts';
import { type InboxRow, STATUSES } from '../read-models/inbox-list.ts';
import { render } from '../templates/render.ts';

const marks = { read: Type.Boolean(), archived: Type.Boolean() };
export const UpdateEntryBody = closed(optional(marks));
export const InboxEntryResource = Type.Object(
  {
    id: NotificationId,
    version: Type.Integer(),
    rule: Rule,
    about: About,
    subject: Type.String({ description: 'what it says, in one line' }),
    title: Type.Union([TaskTitle, Type.Null()], { description: 'of the task that it is about; null once erased' }),
    dueAt: Type.Union([Instant, Type.Null()], { description: 'of the task, as it was then' }),
    ...marks,
    createdAt: Instant,
    readAt: nullable(Instant),
    archivedAt: nullable(Instant),
  },
  { title: 'InboxEntry' },
);
export type InboxEntryResource = Static<typeof InboxEntryResource>;
/** An answer is in English, whoever reads it; what is meant for a person alone, a mail, is in theirs. */
const ANYBODY = { locale: null, timeZone: null };
export const presentEntry = ({ recipientId: _mine, suppressedAt: _never, ...entry }: InboxRow): InboxEntryResource => {
  const { rule, title, dueAt, readAt, archivedAt } = entry;
  const params = rule === 'welcome' ? { username: null } : { title, dueAt };
  const { subject } = render(rule, params, ANYBODY, '');
  return { ...entry, subject, read: readAt !== null, archived: archivedAt !== null };
};

export const EntryParams = Type.Object({ id: NotificationId });
export const InboxQuery = closed({
  ...listQuery,
  status: Type.Optional(
    Type.Unsafe<(typeof STATUSES)[number]>({
      type: 'string',
      enum: [...STATUSES],
      description: 'unread and read are those that are not archived; by default both',
    }),
  ),
});
export const Count = Type.Object({ count: Type.Integer() }, { title: 'Count' });

export const MailboxMailResource = Type.Object(
  {
    id: Type.String({ format: 'uuid', description: 'of this copy' }),
    messageId: Type.String({ description: 'of the mail; two copies of the same have the same' }),
    from: Type.String(),
    to: Type.String(),
    subject: Type.String(),
    text: Type.String(),
    html: Type.String(),
    at: Instant,
  },
  { title: 'MailboxMail' },
);
export const MailboxParams = Type.Object({ id: Type.String({ format: 'uuid' }) });
export const MailboxQuery = closed({ limit: listQuery.limit, cursor: listQuery.cursor });
