/** The notification service's aggregates, as the platform carries out their commands. */
import { aggregate } from '#platform/commit/aggregate.ts';
import { inboxEntry } from '../domain/inbox-entry.ts';
import { mail, nextDue } from '../domain/mail.ts';
import { inboxList } from '../read-models/inbox-list.ts';
import { mailList } from '../read-models/mail-list.ts';

export const mails = aggregate({
  streamPrefix: 'mail',
  decider: mail,
  subject: ({ recipientId }) => recipientId,
  readModel: mailList,
  notFound: 'mail-not-found',
  nextDue,
});

export const inboxEntries = aggregate({
  streamPrefix: 'inbox',
  decider: inboxEntry,
  subject: ({ recipientId }) => recipientId,
  readModel: inboxList,
  notFound: 'entry-not-found',
});
