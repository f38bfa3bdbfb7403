/** What the user service reads and answers over HTTP. */
import Type, { type Static } from 'typebox';
import { closed, Instant, nullable, optional } from '#contracts/schema.ts';
import { EmailAddress, profileFields, SessionId, UserId, Username } from '#contracts/user.ts';
import type { UserProfile } from '../read-models/user-profile.ts';

const Password = Type.String({ minLength: 1, maxLength: 1_024, examples: ['correct horse battery'] });

export const RegisterBody = closed({ email: EmailAddress, username: Username, password: Password });
export const LoginBody = closed({ email: EmailAddress, password: Password });
export const UpdateUserBody = closed(optional(profileFields));

export const UserResource = Type.Object(
  {
    id: UserId,
    version: Type.Integer(),
    email: nullable(EmailAddress),
    ...profileFields,
    username: nullable(Username),
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
