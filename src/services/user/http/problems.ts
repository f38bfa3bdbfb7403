/** What a rejection of the user service is over HTTP. A code without a problem does not compile. */
import type { ProblemTable } from '#platform/http/problems.ts';
import type { RegisterRejection } from '../application/register-user.ts';

export const userProblems = {
  'registration-closed': {
    status: 403,
    title: 'Registration is closed',
    detail: 'Ask whoever runs this server for an account.',
  },
  'weak-password': { status: 422, title: 'The password is too weak', detail: 'The errors member says why.' },
  'email-taken': {
    status: 409,
    title: 'The e-mail address is taken',
    detail: 'Somebody has registered with it. If that is you, log in instead.',
  },
  'username-taken': {
    status: 409,
    title: 'The username is taken',
    detail: 'Choose another; upper and lower case are the same.',
  },
  'user-already-exists': {
    status: 409,
    title: 'The user already exists',
    detail: 'A user with this id already exists.',
  },
  'user-not-found': {
    status: 404,
    title: 'There is no such user',
    detail: 'There is no such user, or you may not see them.',
  },
  'invalid-credentials': {
    status: 401,
    title: 'The address or the password is wrong',
    detail: 'For security, the answer does not say which.',
  },
} as const satisfies ProblemTable<RegisterRejection | 'invalid-credentials'>;
