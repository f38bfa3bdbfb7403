/**
 * What is often written instead of a job with a lease and a settling commit: a loop over what is not sent yet. Killed
 * again and again, the ledger of the mail server must find out both.
 *
 *   notes-first   three at a time noted as sent, then sent: what is under way at a kill is lost
 *   new-ids       sent, then noted, with a Message-ID of its own each time: nobody recognises the twin
 */
import { randomUUID } from 'node:crypto';
import { createTransport } from 'nodemailer';
import pg from 'pg';

const { DATABASE, HABIT, SMTP_URL } = process.env;
const pool = new pg.Pool({ ...JSON.parse(DATABASE ?? '{}'), max: 2 });
const transport = createTransport({ url: SMTP_URL, ignoreTLS: true });
const { rows } = await pool.query<{ id: string; recipient: string }>(
  'select id, recipient from naive_mail where not sent order by id',
);
const note = (ids: readonly string[]) => pool.query('update naive_mail set sent = true where id = any($1)', [ids]);
const AT_A_TIME = HABIT === 'notes-first' ? 3 : 1;

console.log('ready at http://nobody, and naive');
for (let n = 0; n < rows.length; n += AT_A_TIME) {
  const batch = rows.slice(n, n + AT_A_TIME);
  const ids = batch.map(({ id }) => id);
  if (HABIT === 'notes-first') await note(ids);
  for (const { recipient: to } of batch) {
    const messageId = `<${randomUUID()}@naive>`;
    await transport.sendMail({ from: 'naive@example.org', to, subject: 'Welcome', text: 'Hello', messageId });
  }
  if (HABIT === 'new-ids') await note(ids);
}
await pool.end();
