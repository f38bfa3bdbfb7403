/** The whole truth about a user; no I/O, clock or ids. */
import type { EmailAddress, Profile, Username } from '#contracts/user.ts';
import { applyChanges, changesBetween, type Decider, reject } from '#platform/decider.ts';
import type { UserEvent } from '../events.ts';

/** What its commands ask of its past; what people see of it is a row (read-models/user-profile.ts). */
export type User = { readonly profile: Profile };

export type UserCommand =
  | { readonly type: 'RegisterUser'; readonly email: EmailAddress; readonly username: Username }
  | { readonly type: 'UpdateUser'; readonly changes: Partial<Profile> };

export type UserRejection = 'user-already-exists' | 'user-not-found';

export const user: Decider<User, UserCommand, UserEvent, UserRejection, 'user.created'> = {
  starts: {
    'user.created': ({ data }) => ({
      profile: { username: data.username, displayName: null, locale: null, timeZone: null },
    }),
  },
  continues: {
    'user.updated': (user, { data }) => ({ ...user, profile: applyChanges(user.profile, data.changes) }),
  },
  decide: (user, command) => {
    if (command.type === 'RegisterUser') {
      const { email, username } = command;
      return user ? reject('user-already-exists') : [{ type: 'user.created', data: { email, username } }];
    }
    if (!user) return reject('user-not-found');
    const changes = changesBetween(user.profile, command.changes);
    return Object.keys(changes).length === 0 ? [] : [{ type: 'user.updated', data: { changes } }];
  },
};
