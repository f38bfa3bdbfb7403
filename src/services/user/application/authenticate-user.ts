/** AuthenticateUser: a right password begins a session and earns an access token. */
import type { EmailAddress, SessionId } from '#contracts/user.ts';
import type { TokenIssuer } from '#platform/auth/tokens.ts';
import { type CommandKit, handle } from '#platform/commit/command-handler.ts';
import type { CommandContext } from '#platform/commit/plan.ts';
import type { Published } from '#platform/event-store/published.ts';
import type { Database } from '#platform/sql/database.ts';
import { findLogin, rehashedCredential } from '../infrastructure/credentials.ts';
import type { Guesses } from '../infrastructure/guesses.ts';
import type { PasswordHasher } from '../infrastructure/password-hasher.ts';
import type { UserProfile } from '../read-models/user-profile.ts';
import { emailKey, sessions } from './aggregates.ts';

export type AuthenticatePorts = {
  readonly commands: CommandKit;
  readonly database: Database;
  readonly hasher: PasswordHasher;
  readonly tokens: TokenIssuer;
  readonly guesses: Guesses;
};
export type Authenticated = {
  readonly user: UserProfile;
  readonly sessionId: SessionId;
  readonly accessToken: string;
  readonly published: Published | undefined;
};

/** Whether the address is unknown or the password wrong: the same answer, after the same work. */
export const authenticateUser = async (
  { commands, database, hasher, tokens, guesses }: AuthenticatePorts,
  {
    email,
    password,
    sessionId,
  }: { readonly email: EmailAddress; readonly password: string; readonly sessionId: SessionId },
  context: CommandContext,
): Promise<Authenticated | 'invalid-credentials'> => {
  await guesses.slowDown(emailKey(email));
  const login = await findLogin(database, emailKey(email));
  const verdict = await hasher.verify(password, login?.passwordHash);
  if (verdict === 'wrong' || login === undefined) return 'invalid-credentials';
  await guesses.forget(emailKey(email));
  const { passwordHash, ...user } = login;
  const writes = verdict === 'outdated' ? [rehashedCredential(user.id, passwordHash, await hasher.hash(password))] : [];
  const command = { type: 'AuthenticateUser', userId: user.id, method: 'password' } as const;
  const outcome = await handle(
    commands,
    sessions,
    sessionId,
    command,
    { ...context, actor: user.id },
    { isNew: true, writes },
  );
  if (outcome.kind !== 'done') throw new Error(`a new session was answered with ${outcome.kind}`);
  const principal = { userId: user.id, sessionId, roles: [] };
  const accessToken = await tokens.issue(principal, new Date(context.occurredAt), context.newId());
  return { user, sessionId, accessToken, published: outcome.published };
};
