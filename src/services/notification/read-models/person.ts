/** What the service knows of people, to greet and reach them: kept from what the user service tells. */
import type {
  DisplayName,
  EmailAddress,
  Locale,
  Profile,
  TimeZone,
  UserEvent,
  UserId,
  Username,
} from '#contracts/user.ts';
import { clearFields, newValues } from '#platform/decider.ts';
import type { Projection } from '#platform/read-models/projection.ts';
import { orNull, type RowOf, table, text, uuid } from '#platform/read-models/table.ts';
import { type Database, statement } from '#platform/sql/database.ts';

const columns = {
  id: uuid<UserId>(),
  email: orNull(text<EmailAddress>()),
  username: orNull(text<Username>()),
  displayName: orNull(text<DisplayName>()),
  locale: orNull(text<Locale>()),
  timeZone: orNull(text<TimeZone>()),
};
const personTable = table('person', columns);
export type PersonRow = RowOf<typeof columns>;

export const people: Projection<PersonRow, UserEvent> = {
  table: personTable,
  ids: (_event, { streamId }) => [streamId],
  on: {
    'user.created': (_row, { data }, { streamId }) => ({
      id: streamId as UserId, // a stream's name was made from it
      ...clearFields(data),
      displayName: null,
      locale: null,
      timeZone: null,
    }),
    'user.updated': (row, { data }) => row && { ...row, ...clearFields(newValues<Profile>(data.changes)) },
  },
};

const BY_ID = statement('person-by-id', `select ${personTable.selected} from person where id = $1`);
export const findPerson = async (database: Database, id: UserId): Promise<PersonRow | undefined> =>
  (await database.read<PersonRow>(BY_ID, [id]))[0];
