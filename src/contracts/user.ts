/** The user service's words for others: who somebody is, and that they came in. */
import Type, { type Static } from 'typebox';
import type { Brand } from '#platform/decider.ts';
import { branded, changesOf, closed, type EventsOf, event, id, nullable, oneOf, personal } from './schema.ts';

export type UserId = Brand<string, 'UserId'>;
export const UserId = id<'UserId'>('A user');
export type SessionId = Brand<string, 'SessionId'>;
export const SessionId = id<'SessionId'>('A session: one login and what is renewed from it');

export type EmailAddress = Brand<string, 'EmailAddress'>;
export const EmailAddress = branded<EmailAddress>(
  Type.String({ format: 'email', maxLength: 254, examples: ['ada@example.org'] }),
);
export type Username = Brand<string, 'Username'>;
export const Username = branded<Username>(
  Type.String({
    pattern: '^[A-Za-z0-9_.-]{3,32}$',
    description: '3–32 of letters, digits, _ . - ; unique ignoring case',
    examples: ['ada'],
  }),
);
export type DisplayName = Brand<string, 'DisplayName'>;
export const DisplayName = branded<DisplayName>(Type.String({ minLength: 1, maxLength: 100, pattern: '\\S' }));
export type TimeZone = Brand<string, 'TimeZone'>;
export const TimeZone = branded<TimeZone>(
  Type.String({ format: 'time-zone', maxLength: 64, description: 'IANA name', examples: ['Europe/Berlin'] }),
);
export type Locale = Brand<string, 'Locale'>;
export const Locale = branded<Locale>(
  Type.String({ format: 'locale', maxLength: 35, description: 'BCP 47', examples: ['en'] }),
);

/** What a user says of themselves, beside the address. */
export const profileFields = {
  username: Username,
  displayName: nullable(DisplayName),
  locale: nullable(Locale),
  timeZone: nullable(TimeZone),
};
const profile = {
  username: personal(profileFields.username),
  displayName: personal(profileFields.displayName),
  locale: personal(profileFields.locale),
  timeZone: personal(profileFields.timeZone),
};
const Profile = closed(profile);
export type Profile = Static<typeof Profile>;

export const USER_EVENTS = {
  'user.created': event({
    topic: 'user.events',
    summary: 'Somebody registered.',
    schema: closed({ email: personal(EmailAddress), username: personal(Username) }),
    example: { email: 'ada@example.org' as EmailAddress, username: 'ada' as Username },
  }),
  'user.updated': event({
    topic: 'user.events',
    summary: 'A user changed their profile.',
    schema: closed({
      changes: changesOf(profile),
    }),
    example: { changes: { displayName: { from: null, to: 'Ada Lovelace' as DisplayName } } },
  }),
  'user.authenticated': event({
    topic: 'user.events',
    summary: 'A user proved who they are, which began a session. Belongs to the session’s stream.',
    busKey: 'userId',
    schema: closed({ userId: UserId, method: oneOf('password') }),
    example: { userId: '01939d5e-0000-7000-8000-000000000001' as UserId, method: 'password' },
  }),
} as const;
export type UserEvent = EventsOf<Pick<typeof USER_EVENTS, 'user.created' | 'user.updated'>>;
export type SessionEvent = EventsOf<Pick<typeof USER_EVENTS, 'user.authenticated'>>;
