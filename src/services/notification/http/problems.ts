/** What a rejection of the notification service is over HTTP. A code without a problem does not compile. */
import type { ProblemTable } from '#platform/http/problems.ts';
import type { InboxRejection } from '../domain/inbox-entry.ts';

export const inboxProblems = {
  'entry-not-found': {
    status: 404,
    title: 'There is no such entry',
    detail: 'There is no entry with this id in your inbox.',
  },
} as const satisfies ProblemTable<InboxRejection>;

export const mailboxProblems = {
  'mail-not-found': {
    status: 404,
    title: 'There is no such mail',
    detail: 'The mailbox keeps only the newest ten thousand mails.',
  },
} as const satisfies ProblemTable;
