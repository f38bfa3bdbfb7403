/** A session: that somebody proved once who they are. */
import type { UserId } from '#contracts/user.ts';
import { type Decider, reject } from '#platform/decider.ts';
import type { SessionEvent } from '../events.ts';

export type Session = { readonly userId: UserId };
export type SessionCommand = {
  readonly type: 'AuthenticateUser';
  readonly userId: UserId;
  readonly method: 'password';
};
export type SessionRejection = 'session-already-exists';

export const session: Decider<Session, SessionCommand, SessionEvent, SessionRejection, 'user.authenticated'> = {
  starts: { 'user.authenticated': ({ data }) => ({ userId: data.userId }) },
  continues: {},
  decide: (session, { userId, method }) =>
    session ? reject('session-already-exists') : [{ type: 'user.authenticated', data: { userId, method } }],
};
