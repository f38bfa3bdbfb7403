/** What a user is shown of themselves: row, fold and queries. */
import type { DisplayName, EmailAddress, Locale, TimeZone, UserId, Username } from '#contracts/user.ts';
import { clearOrNull } from '#platform/decider.ts';
import { readModel } from '#platform/read-models/fold.ts';
import { instant, integer, orNull, type RowOf, table, text, uuid } from '#platform/read-models/table.ts';
import { type Database, statement } from '#platform/sql/database.ts';
import type { UserEvent } from '../events.ts';

const columns = {
  id: uuid<UserId>(),
  version: integer(),
  email: orNull(text<EmailAddress>()),
  username: orNull(text<Username>()),
  displayName: orNull(text<DisplayName>()),
  locale: orNull(text<Locale>()),
  timeZone: orNull(text<TimeZone>()),
  createdAt: instant(),
  updatedAt: instant(),
};
export const userProfileTable = table('user_profile', columns);
export type UserProfile = RowOf<typeof columns>;

export const userProfile = readModel<UserProfile, UserEvent, 'user.created'>(userProfileTable, {
  starts: {
    'user.created': ({ data }, { streamId, occurredAt }) => ({
      id: streamId as UserId, // a stream's name was made from it
      email: clearOrNull(data.email),
      username: clearOrNull(data.username),
      displayName: null,
      locale: null,
      timeZone: null,
      createdAt: occurredAt,
      updatedAt: occurredAt,
    }),
  },
  continues: {
    'user.updated': (row, { data: { changes } }, { occurredAt }) => ({
      ...row,
      username: changes.username ? clearOrNull(changes.username.to) : row.username,
      displayName: changes.displayName ? clearOrNull(changes.displayName.to) : row.displayName,
      locale: changes.locale ? clearOrNull(changes.locale.to) : row.locale,
      timeZone: changes.timeZone ? clearOrNull(changes.timeZone.to) : row.timeZone,
      updatedAt: occurredAt,
    }),
  },
});

const BY_ID = statement('user-by-id', `select ${userProfileTable.selected} from user_profile where id = $1`);
export const findUser = async (database: Database, id: string): Promise<UserProfile | undefined> =>
  (await database.read<UserProfile>(BY_ID, [id]))[0];
