/** RegisterUser: what the decider alone cannot say is whether a password is good and an address still free. */
import type { EmailAddress, UserId, Username } from '#contracts/user.ts';
import { type CommandKit, handle } from '#platform/commit/command-handler.ts';
import { type Outcome, rejected } from '#platform/commit/outcome.ts';
import type { CommandContext } from '#platform/commit/plan.ts';
import type { Database } from '#platform/sql/database.ts';
import { PASSWORD_MAX_LENGTH, type PasswordFlaw, passwordFlaw } from '../domain/password-policy.ts';
import { findReserved, newCredential } from '../infrastructure/credentials.ts';
import type { PasswordHasher } from '../infrastructure/password-hasher.ts';
import type { UserProfile } from '../read-models/user-profile.ts';
import { emailKey, usernameKey, users } from './aggregates.ts';

export type Registration = {
  readonly id: UserId;
  readonly email: EmailAddress;
  readonly username: Username;
  readonly password: string;
};
export type RegisterRejection =
  | 'registration-closed'
  | 'weak-password'
  | 'email-taken'
  | 'username-taken'
  | 'user-already-exists'
  | 'user-not-found';

export type RegisterPorts = {
  readonly commands: CommandKit;
  readonly database: Database;
  readonly hasher: PasswordHasher;
  readonly commonPasswords: () => Promise<ReadonlySet<string>>;
  readonly minPasswordLength: number;
  readonly open: boolean;
};

export const registerUser = async (
  { commands, database, hasher, commonPasswords, minPasswordLength, open }: RegisterPorts,
  { id, email, username, password }: Registration,
  context: CommandContext,
): Promise<Outcome<UserProfile, RegisterRejection>> => {
  if (!open) return rejected('registration-closed');
  const common = await commonPasswords();
  const flaw = passwordFlaw(password, { email, username }, minPasswordLength, (candidate) => common.has(candidate));
  if (flaw) {
    return rejected('weak-password', { pointer: '/password', code: flaw, detail: flawDetail(flaw, minPasswordLength) });
  }
  const reserved = await findReserved(database, emailKey(email), usernameKey(username));
  if (reserved.includes('email')) return rejected('email-taken');
  if (reserved.includes('username')) return rejected('username-taken');
  const credential = newCredential(id, await hasher.hash(password));
  return handle(commands, users, id, { type: 'RegisterUser', email, username }, context, {
    isNew: true,
    writes: [credential],
  });
};

const flawDetail = (flaw: PasswordFlaw, minLength: number): string => {
  switch (flaw) {
    case 'too-short':
      return `must have at least ${minLength} characters`;
    case 'too-long':
      return `must have at most ${PASSWORD_MAX_LENGTH} characters`;
    case 'too-common':
      return 'is among the most common passwords';
    case 'names-the-account':
      return 'must not be your own name or address';
  }
};
