/** The user service's aggregates, as the platform carries out their commands. */
import type { EmailAddress, Username } from '#contracts/user.ts';
import { aggregate } from '#platform/commit/aggregate.ts';
import { isErased, type Personal } from '#platform/decider.ts';
import { session } from '../domain/session.ts';
import { user } from '../domain/user.ts';
import type { UserEvent } from '../events.ts';
import { sessionList } from '../read-models/session-list.ts';
import { userProfile } from '../read-models/user-profile.ts';

/** Two addresses or names that differ only in case are one. */
export const emailKey = (email: EmailAddress): string => email.toLowerCase();
export const usernameKey = (username: Username): string => username.toLowerCase();

const email = (value: Personal<EmailAddress>) => (isErased(value) ? [] : [{ scope: 'email', value: emailKey(value) }]);
const username = (value: Personal<Username>) =>
  isErased(value) ? [] : [{ scope: 'username', value: usernameKey(value) }];

const reservations = (event: UserEvent) => {
  switch (event.type) {
    case 'user.created':
      return {
        take: [
          ...email(event.data.email).map((one) => ({ ...one, otherwise: 'email-taken' as const })),
          ...username(event.data.username).map((one) => ({ ...one, otherwise: 'username-taken' as const })),
        ],
        release: [],
      };
    case 'user.updated': {
      const change = event.data.changes.username;
      const [from, to] = change ? [username(change.from), username(change.to)] : [[], []];
      if (from[0]?.value === to[0]?.value) return { take: [], release: [] }; // only the case changed
      return { take: to.map((one) => ({ ...one, otherwise: 'username-taken' as const })), release: from };
    }
  }
};

export const users = aggregate({
  streamPrefix: 'user',
  decider: user,
  subject: (_user, id) => id, // the stream's id is the user's
  readModel: userProfile,
  notFound: 'user-not-found',
  reservations,
});

export const sessions = aggregate({
  streamPrefix: 'session',
  decider: session,
  subject: ({ userId }) => userId,
  readModel: sessionList,
});
