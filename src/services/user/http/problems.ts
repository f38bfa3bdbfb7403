/** What a rejection of the user service is over HTTP. A code without a problem does not compile. */
import type { ProblemTable } from '#platform/http/problems.ts';
import type { RegisterRejection } from '../application/register-user.ts';

export const userProblems = {
  'registration-closed': {
    status: 403,
    title: 'Registration is closed',
    detail: 'Ask whoever runs this for an account.',
  },
  'weak-password': { status: 422, title: 'The password is too weak', detail: 'errors says why.' },
  'email-taken': {
    status: 409,
    title: 'The e-mail address is taken',
    detail: 'Somebody is registered with it; log in instead.',
  },
  'username-taken': {
    status: 409,
    title: 'The username is taken',
    detail: 'Choose another one; case does not matter.',
  },
  'user-already-exists': { status: 409, title: 'The user exists already', detail: 'There is a user of this id.' },
  'user-not-found': {
    status: 404,
    title: 'There is no such user',
    detail: 'No such user, or nobody whom you may see.',
  },
  'invalid-credentials': {
    status: 401,
    title: 'The address or the password is wrong',
    detail: 'Which of them is not told.',
  },
} as const satisfies ProblemTable<RegisterRejection | 'invalid-credentials'>;
