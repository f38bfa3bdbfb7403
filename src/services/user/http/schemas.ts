/** What the user service reads and answers over HTTP. */
import Type, { type Static } from 'typebox';
import { closed, Instant, nullable } from '#contracts/schema.ts';
import { DisplayName, EmailAddress, Locale, SessionId, TimeZone, UserId, Username } from '#contracts/user.ts';
import type { UserProfile } from '../read-models/user-profile.ts';

const Password = Type.String({ minLength: 1, maxLength: 1_024, examples: ['correct horse battery'] });

export const RegisterBody = closed({ email: EmailAddress, username: Username, password: Password });
export const LoginBody = closed({ email: EmailAddress, password: Password });
export const UpdateUserBody = closed({
  username: Type.Optional(Username),
  displayName: Type.Optional(nullable(DisplayName)),
  locale: Type.Optional(nullable(Locale)),
  timeZone: Type.Optional(nullable(TimeZone)),
});

export const UserResource = Type.Object(
  {
    id: UserId,
    version: Type.Integer(),
    email: nullable(EmailAddress),
    username: nullable(Username),
    displayName: nullable(DisplayName),
    locale: nullable(Locale),
    timeZone: nullable(TimeZone),
    createdAt: Instant,
    updatedAt: Instant,
  },
  { title: 'User' },
);
export type UserResource = Static<typeof UserResource>;
export const presentUser = (row: UserProfile): UserResource => row;

export const LoginAnswer = Type.Object(
  {
    status: Type.Literal('authenticated'),
    accessToken: Type.String(),
    expiresIn: Type.Integer({ description: 'seconds' }),
    sessionId: SessionId,
    user: UserResource,
  },
  { title: 'Authenticated' },
);
