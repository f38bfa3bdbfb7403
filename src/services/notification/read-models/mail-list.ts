/** What became of each mail: row and fold, and which had to be put off. */
import type { NotificationId, Rule } from '#contracts/notification.ts';
import type { UserId } from '#contracts/user.ts';
import { readModel } from '#platform/read-models/fold.ts';
import { instant, integer, orNull, type RowOf, table, text, uuid } from '#platform/read-models/table.ts';
import { type Database, statement } from '#platform/sql/database.ts';
import type { MailEvent } from '../events.ts';

const columns = {
  id: uuid<NotificationId>(),
  version: integer(),
  recipientId: uuid<UserId>(),
  rule: text<Rule>(),
  status: text<'waiting' | 'sent' | 'failed' | 'suppressed'>(),
  attempts: integer(),
  /** Why the last attempt failed. */
  lastCode: orNull(text()),
  requestedAt: instant(),
  sentAt: orNull(instant()),
};
const mailTable = table('mail_list', columns, {
  indexes: { again: { on: ['lastCode'], where: "status = 'waiting' and attempts > 0" } },
});
export type MailRow = RowOf<typeof columns>;

export const mailList = readModel<MailRow, MailEvent, 'notification.requested'>(mailTable, {
  starts: {
    'notification.requested': ({ data: { recipientId, rule } }, { streamId, occurredAt }) => ({
      id: streamId as NotificationId, // a stream's name was made from it
      recipientId,
      rule,
      status: 'waiting',
      attempts: 0,
      lastCode: null,
      requestedAt: occurredAt,
      sentAt: null,
    }),
  },
  continues: {
    'notification.suppressed': (row) => ({ ...row, status: 'suppressed' }),
    'notification.attempted': (row, { data }) => ({ ...row, attempts: data.n, lastCode: data.code }),
    'notification.sent': (row, { data }, { occurredAt }) => ({
      ...row,
      status: 'sent',
      attempts: data.n,
      lastCode: null,
      sentAt: occurredAt,
    }),
    'notification.failed': (row, { data }) => ({ ...row, status: 'failed', attempts: data.n, lastCode: data.code }),
  },
});

export const MOST_COUNTED = 10_000;
const PUT_OFF = statement(
  'mails-put-off',
  `select count(*)::integer as count, mode() within group (order by last_code) as code
   from (select last_code from mail_list where status = 'waiting' and attempts > 0 limit ${MOST_COUNTED}) put_off`,
);
/** How many mails failed and wait for another attempt, counted so far, and why the most of them failed. */
export const mailsPutOff = async (
  database: Database,
): Promise<{ readonly count: number; readonly code: string | null }> => {
  const [row] = await database.read<{ count: number; code: string | null }>(PUT_OFF, []);
  return row ?? { count: 0, code: null };
};
