import { expect, test } from 'vitest';
import type { DisplayName, EmailAddress, SessionEvent, UserEvent, UserId, Username } from '#contracts/user.ts';
import { scenario } from '#platform/testing/scenario.ts';
import { passwordFlaw } from './password-policy.ts';
import { session } from './session.ts';
import { user } from './user.ts';

const { given } = scenario(user);
const email = 'ada@example.org' as EmailAddress;
const username = 'ada' as Username;
const created: UserEvent = { type: 'user.created', data: { email, username } };

test('somebody registers', () => given().when({ type: 'RegisterUser', email, username }).thenEmits(created));
test('a registered user is not registered again', () =>
  given(created).when({ type: 'RegisterUser', email, username }).thenRejected('user-already-exists'));
test('a change of the profile tells from what to what', () =>
  given(created)
    .when({ type: 'UpdateUser', changes: { displayName: 'Ada' as DisplayName, username } })
    .thenEmits({ type: 'user.updated', data: { changes: { displayName: { from: null, to: 'Ada' as DisplayName } } } }));
test('an update that changes no field emits nothing', () =>
  given(created)
    .when({ type: 'UpdateUser', changes: { username, locale: null } })
    .thenNothing());
test('changing a user that does not exist is rejected', () =>
  given().when({ type: 'UpdateUser', changes: {} }).thenRejected('user-not-found'));

test('a session begins once', () => {
  const userId = '01939d5e-0000-7000-8000-000000000001' as UserId;
  const command = { type: 'AuthenticateUser', userId, method: 'password' } as const;
  const authenticated: SessionEvent = { type: 'user.authenticated', data: { userId, method: 'password' } };
  scenario(session).given().when(command).thenEmits(authenticated);
  scenario(session).given(authenticated).when(command).thenRejected('session-already-exists');
});

test.each([
  ['correct horse battery', undefined],
  ['short', 'too-short'],
  ['🐎🐎🐎🐎🐎🐎', 'too-short'], // six characters, twelve code units
  ['x'.repeat(256), undefined],
  ['x'.repeat(257), 'too-long'],
  ['Known To Leaks', 'too-common'],
  ['ada.lovelace@example.org', 'names-the-account'],
  ['Ada.Lovelace1815!', 'names-the-account'],
])('the password %j: %s', (password, flaw) => {
  const account = { email: 'ada.lovelace@example.org', username: 'countess' };
  expect(passwordFlaw(password, account, 12, (candidate) => candidate === 'known to leaks')).toBe(flaw);
});
