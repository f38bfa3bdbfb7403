/** The built-in mailbox over HTTP, for tests and whoever tries things out. It exists only where nobody carries mails. */
import type { CursorCodec } from '#platform/http/cursor.ts';
import { answerList } from '#platform/http/list.ts';
import { pick, refusal } from '#platform/http/problems.ts';
import { listOf, responses } from '#platform/http/schemas.ts';
import type { Routes } from '#platform/http/server.ts';
import type { Database } from '#platform/sql/database.ts';
import { findInMailbox, listMailbox } from '../infrastructure/mailbox.ts';
import { mailboxProblems } from './problems.ts';
import { MailboxMailResource, MailboxParams, MailboxQuery } from './schemas.ts';

const ANYBODY = { access: 'public' } as const;

export const mailboxRoutes =
  ({ database, cursors }: { readonly database: Database; readonly cursors: CursorCodec }): Routes =>
  (app) => {
    app.get(
      '/dev/mailbox',
      {
        config: ANYBODY,
        schema: {
          operationId: 'listMailbox',
          tags: ['mailbox'],
          summary: 'All mails that were sent, the newest first',
          querystring: MailboxQuery,
          response: responses({ 200: listOf(MailboxMailResource) }, ['cursor-mismatch']),
        },
      },
      (request) =>
        answerList(cursors, request.query, {
          binding: ['mailbox'],
          find: (page) => listMailbox(database, page),
          present: (mail) => mail,
        }),
    );

    app.get(
      '/dev/mailbox/:id',
      {
        config: ANYBODY,
        schema: {
          operationId: 'getMailboxMail',
          tags: ['mailbox'],
          summary: 'One mail',
          params: MailboxParams,
          response: responses({ 200: MailboxMailResource }, [], pick(mailboxProblems, 'mail-not-found')),
        },
      },
      async (request) => {
        const mail = await findInMailbox(database, request.params.id);
        if (mail === undefined) throw refusal(mailboxProblems, 'mail-not-found');
        return mail;
      },
    );
  };
