/** The sessions of each user. */
import type { SessionId, UserId } from '#contracts/user.ts';
import { readModel } from '#platform/read-models/fold.ts';
import { instant, integer, type RowOf, table, text, uuid } from '#platform/read-models/table.ts';
import type { SessionEvent } from '../events.ts';

const columns = {
  id: uuid<SessionId>(),
  version: integer(),
  userId: uuid<UserId>(),
  method: text<'password'>(),
  startedAt: instant(),
};
const sessionTable = table('user_session', columns, {
  indexes: { user: { on: ['userId', 'startedAt'] } },
});
export type SessionRow = RowOf<typeof columns>;

export const sessionList = readModel<SessionRow, SessionEvent, 'user.authenticated'>(sessionTable, {
  starts: {
    'user.authenticated': ({ data }, { streamId, occurredAt }) => ({
      id: streamId as SessionId, // a stream's name was made from it
      userId: data.userId,
      method: data.method,
      startedAt: occurredAt,
    }),
  },
  continues: {},
});
