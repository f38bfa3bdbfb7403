/** What a user is shown of themselves: row, fold and queries. */
import type { DisplayName, EmailAddress, Locale, Profile, TimeZone, UserId, Username } from '#contracts/user.ts';
import { clearFields, newValues } from '#platform/decider.ts';
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
      ...clearFields(data),
      displayName: null,
      locale: null,
      timeZone: null,
      createdAt: occurredAt,
      updatedAt: occurredAt,
    }),
  },
  continues: {
    'user.updated': (row, { data }, { occurredAt }) => ({
      ...row,
      ...clearFields(newValues<Profile>(data.changes)),
      updatedAt: occurredAt,
    }),
  },
});

const BY_ID = statement('user-by-id', `select ${userProfileTable.selected} from user_profile where id = $1`);
export const findUser = async (database: Database, id: UserId): Promise<UserProfile | undefined> =>
  (await database.read<UserProfile>(BY_ID, [id]))[0];
