/** Inboxes as their owners see them: row, fold and queries. */
import type { About, NotificationId, Rule } from '#contracts/notification.ts';
import type { Instant } from '#contracts/schema.ts';
import type { TaskTitle } from '#contracts/task.ts';
import type { UserId } from '#contracts/user.ts';
import { isErased } from '#platform/decider.ts';
import { readModel } from '#platform/read-models/fold.ts';
import { type Count, type Kept, SNAPSHOT } from '#platform/read-models/kept.ts';
import { type Page, type PageQuery, type Place, pageOf } from '#platform/read-models/place.ts';
import { instant, integer, json, orNull, type RowOf, table, text, uuid } from '#platform/read-models/table.ts';
import { type Database, type Statement, statement } from '#platform/sql/database.ts';
import type { InboxEvent } from '../events.ts';

const columns = {
  id: uuid<NotificationId>(),
  version: integer(),
  recipientId: uuid<UserId>(),
  rule: text<Rule>(),
  about: orNull(json<NonNullable<About>>()),
  title: orNull(text<TaskTitle>()),
  dueAt: orNull(instant()),
  createdAt: instant(),
  readAt: orNull(instant()),
  archivedAt: orNull(instant()),
  /** Since when nobody sees it. */
  suppressedAt: orNull(instant()),
};
const inboxTable = table('inbox_list', columns, {
  keptBy: 'recipientId',
  indexes: {
    newest: { on: ['recipientId', 'createdAt', 'id'] },
    unread: {
      on: ['recipientId', 'createdAt'],
      where: 'read_at is null and archived_at is null and suppressed_at is null',
    },
  },
});
export type InboxRow = RowOf<typeof columns>;

export const inboxList = readModel<InboxRow, InboxEvent, 'notification.requested'>(inboxTable, {
  starts: {
    'notification.requested': ({ data: { recipientId, rule, about, params } }, { streamId, occurredAt }) => ({
      id: streamId as NotificationId, // a stream's name was made from it
      recipientId,
      rule,
      about,
      ...(!isErased(params) && 'title' in params
        ? { title: params.title, dueAt: params.dueAt }
        : { title: null, dueAt: null }),
      createdAt: occurredAt,
      readAt: null,
      archivedAt: null,
      suppressedAt: null,
    }),
  },
  continues: {
    'notification.suppressed': (row, _event, { occurredAt }) => ({ ...row, suppressedAt: occurredAt }),
    'notification.read': (row, _event, { occurredAt }) => ({ ...row, readAt: occurredAt }),
    'notification.unread': (row) => ({ ...row, readAt: null }),
    'notification.archived': (row, _event, { occurredAt }) => ({ ...row, archivedAt: occurredAt }),
    'notification.unarchived': (row) => ({ ...row, archivedAt: null }),
  },
});

const VISIBLE = 'recipient_id = $1 and suppressed_at is null';
const UNREAD = `${VISIBLE} and archived_at is null and read_at is null`;
const BY_ID = statement('inbox-by-id', `select ${inboxTable.selected} from inbox_list where ${VISIBLE} and id = $2`);
/** One entry; undefined when it is another's. */
export const findEntry = async (
  database: Database,
  id: NotificationId,
  recipient: UserId,
): Promise<InboxRow | undefined> => (await database.read<InboxRow>(BY_ID, [recipient, id]))[0];

/** What lies in the inbox, whether read or not, is all that is not archived. */
export const STATUSES = ['unread', 'read', 'archived', 'all'] as const;
type InboxStatus = (typeof STATUSES)[number] | 'inbox';
const WHICH: Readonly<Record<InboxStatus, string>> = {
  inbox: `${VISIBLE} and archived_at is null`,
  unread: UNREAD,
  read: `${VISIBLE} and archived_at is null and read_at is not null`,
  archived: `${VISIBLE} and archived_at is not null`,
  all: VISIBLE,
};
const ofEach = (what: string, text: (which: string) => string) =>
  Object.fromEntries(
    Object.entries(WHICH).map(([status, which]) => [status, statement(`inbox-${what}-${status}`, text(which))]),
  ) as Readonly<Record<InboxStatus, Statement>>;
const LIST = ofEach(
  'list',
  (which) =>
    `select ${inboxTable.selected} from inbox_list where ${which} and (created_at, id) < ($2::timestamptz, $3::uuid)
     order by created_at desc, id desc limit $4`,
);
const COUNT = ofEach('count', (which) => `select count(*) as count, ${SNAPSHOT} from inbox_list where ${which}`);
const START: Place = ['infinity', 'ffffffff-ffff-ffff-ffff-ffffffffffff'];

export type InboxFilter = { readonly recipient: UserId; readonly status: InboxStatus };
/** The newest first. */
export const listInbox = async (
  database: Database,
  { recipient, status }: InboxFilter,
  { after = START, limit }: PageQuery,
): Promise<Page<InboxRow>> => {
  const found = await database.read<InboxRow>(LIST[status], [recipient, ...after, limit + 1]);
  return pageOf(found, limit, ({ createdAt, id }) => [createdAt, id]);
};
export const countInbox = (
  kept: Kept,
  database: Database,
  { recipient, status }: InboxFilter,
  { fresh }: { readonly fresh: boolean },
): Promise<number> =>
  kept.count({ of: inboxTable, owner: recipient, name: status, fresh }, async () => {
    const [counted] = await database.read<Count>(COUNT[status], [recipient]);
    if (counted === undefined) throw new Error('a count answered nothing');
    return counted;
  });

const NEW_ONES = statement(
  'inbox-new-ones',
  `select id from inbox_list where ${UNREAD} and created_at <= $2 order by created_at limit $3`,
);
/** Entries that were not read yet, of those that lay there at a moment. */
export const findUnread = async (
  database: Database,
  recipient: UserId,
  until: Instant,
  limit: number,
): Promise<readonly NotificationId[]> =>
  (await database.read<{ id: NotificationId }>(NEW_ONES, [recipient, until, limit])).map(({ id }) => id);
