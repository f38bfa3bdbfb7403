/** The built-in mailbox for people: a list, and each mail as text and as HTML. Nothing in a mail can act on these pages. */
import { html } from '#platform/http/html.ts';
import { page } from '#platform/http/page.ts';
import { refusal } from '#platform/http/problems.ts';
import { SECURITY_HEADERS } from '#platform/http/security-headers.ts';
import type { Routes } from '#platform/http/server.ts';
import type { Database } from '#platform/sql/database.ts';
import { findInMailbox, listMailbox, type MailboxMail } from '../infrastructure/mailbox.ts';
import { mailboxProblems } from './problems.ts';
import { MailboxParams } from './schemas.ts';

export const MAILBOX = '/dev/mailbox';
const SHOWN = 100;
const POLICY = SECURITY_HEADERS['content-security-policy'];
/** A mail's own HTML is a page without an origin, rights or a way out, which only a page of ours may frame. */
const OF_A_MAIL = {
  'content-security-policy': `sandbox; ${POLICY.replace("frame-ancestors 'none'", "frame-ancestors 'self'")}`,
  'x-frame-options': 'SAMEORIGIN',
};

export const mailboxPages =
  (database: Database): Routes =>
  (app) => {
    const hidden = { config: { access: 'public' as const } };
    const one = { ...hidden, schema: { hide: true, params: MailboxParams } };
    const find = async (id: string): Promise<MailboxMail> => {
      const mail = await findInMailbox(database, id);
      if (mail === undefined) throw refusal(mailboxProblems, 'mail-not-found');
      return mail;
    };

    app.get(MAILBOX, { ...hidden, schema: { hide: true } }, async (_request, reply) => {
      const { rows: mails, next } = await listMailbox(database, { limit: SHOWN });
      return reply.type('text/html').send(page('Mailbox', list(mails, next !== undefined).markup));
    });
    app.get(`${MAILBOX}/:id`, one, async (request, reply) => {
      const mail = await find(request.params.id);
      const policy = `${POLICY}; frame-src 'self'`;
      return reply
        .header('content-security-policy', policy)
        .type('text/html')
        .send(page('Mail', letter(mail).markup));
    });
    app.get(`${MAILBOX}/:id/html`, one, async (request, reply) => {
      const mail = await find(request.params.id);
      return reply.headers(OF_A_MAIL).type('text/html').send(mail.html);
    });
  };

const MORE = html` Here are the newest ${SHOWN}; <a href="/api/v1/dev/mailbox?limit=200">the API</a> has those before them.`;
const list = (mails: readonly MailboxMail[], areMore: boolean) =>
  mails.length === 0
    ? html`<p>No mail yet. Register somebody, and their welcome lies here.</p>`
    : html`<p>Mails that would have been sent, the newest first. With <code>SMTP_URL</code> they are.${areMore ? MORE : ''}</p>
<table>${mails.map(
        ({ id, at, to, subject }) =>
          html`<tr><td><time>${at.slice(0, 19).replace('T', ' ')}</time></td><td>${to}</td><td><a href="${MAILBOX}/${id}">${subject}</a></td></tr>\n`,
      )}</table>`;

const letter = ({
  id,
  messageId,
  from,
  to,
  subject,
  text,
  at,
}: MailboxMail) => html`<p><a href="${MAILBOX}">All mails</a></p>
<table><tr><td>Subject</td><td><strong>${subject}</strong></td></tr><tr><td>From</td><td>${from}</td></tr>
<tr><td>To</td><td>${to}</td></tr><tr><td>At</td><td>${at}</td></tr><tr><td>Message-ID</td><td>${messageId}</td></tr></table>
<h2>HTML</h2>
<iframe sandbox="" src="${MAILBOX}/${id}/html" title="The mail as HTML" style="width: 100%; height: 24em; border: 1px solid #888; background: #fff"></iframe>
<h2>Text</h2>
<pre style="white-space: pre-wrap">${text}</pre>`;
