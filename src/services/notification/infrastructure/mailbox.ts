/** The built-in mailbox: where mails go as long as nobody carries them, for people and tests to read. */
import type { Instant } from '#contracts/schema.ts';
import { newId } from '#platform/keys/ids.ts';
import { type Page, type PageQuery, type Place, pageOf } from '#platform/read-models/place.ts';
import { refusalOf } from '#platform/resilience/refusal.ts';
import { type Database, statement } from '#platform/sql/database.ts';
import { MailRefused, type MailTransport } from './mail-transport.ts';

/** As many as a person looks through, and more: the oldest make room. */
const KEPT = 10_000;
// A row each time, whatever its Message-ID: a mail that was sent twice is to be seen twice.
const ACCEPT = statement(
  'mailbox-accept',
  `with accepted as (
     insert into dev_mailbox (id, message_id, sender, recipient, subject, text, html)
     values ($1, $2, $3, $4, $5, $6, $7) returning position)
   delete from dev_mailbox where position <= (select position from accepted) - ${KEPT}`,
);
const COLUMNS = `id, message_id as "messageId", sender as "from", recipient as "to", subject, text, html, at`;
const LIST = statement(
  'mailbox-list',
  `select ${COLUMNS}, position from dev_mailbox where position < $1::bigint order by position desc limit $2`,
);
const START: Place = [String(2n ** 63n - 1n)];
const BY_ID = statement('mailbox-by-id', `select ${COLUMNS} from dev_mailbox where id = $1`);

export const createMailboxTransport = (database: Database): MailTransport => ({
  provider: 'mailbox',
  send: async ({ messageId, from, to, subject, text, html }, signal) => {
    if (signal.aborted) throw new MailRefused('transient', 'timeout');
    const sender = from.name === '' ? from.address : `${from.name} <${from.address}>`;
    try {
      await database.write(ACCEPT, [newId(), messageId, sender, to, subject, text, html]);
    } catch (error) {
      if (refusalOf(error) === undefined) throw error;
      throw new MailRefused('transient', 'mailbox-unavailable');
    }
  },
});

export type MailboxMail = {
  readonly id: string;
  readonly messageId: string;
  readonly from: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  readonly at: Instant;
};
/** The newest first. */
export const listMailbox = async (
  database: Database,
  { after = START, limit }: PageQuery,
): Promise<Page<MailboxMail>> => {
  const found = await database.read<MailboxMail & { readonly position: number }>(LIST, [...after, limit + 1]);
  const { rows, next } = pageOf(found, limit, ({ position }) => [position]);
  return { rows: rows.map(({ position, ...mail }) => mail), next };
};
export const findInMailbox = async (database: Database, id: string): Promise<MailboxMail | undefined> =>
  (await database.read<MailboxMail>(BY_ID, [id]))[0];
