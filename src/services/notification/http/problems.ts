/** What a rejection of the notification service is over HTTP. A code without a problem does not compile. */
import type { ProblemTable } from '#platform/http/problems.ts';
import type { InboxRejection } from '../domain/inbox-entry.ts';

export const inboxProblems = {
  'entry-not-found': {
    status: 404,
    title: 'There is no such entry',
    detail: 'No such entry in your inbox, or none that you may see.',
  },
} as const satisfies ProblemTable<InboxRejection>;

export const mailboxProblems = {
  'mail-not-found': {
    status: 404,
    title: 'There is no such mail',
    detail: 'The mailbox keeps the newest ten thousand.',
  },
} as const satisfies ProblemTable;
