/** The user service: who people are, and that they came in. */
import { fileURLToPath } from 'node:url';
import { createTokenIssuer } from '#platform/auth/tokens.ts';
import type { Secrets } from '#platform/config/secrets.ts';
import type { Opening, Service } from '#platform/lifecycle/service.ts';
import { openServiceKit } from '#platform/lifecycle/service-kit.ts';
import { inlineReadModel } from '#platform/read-models/inline.ts';
import { sessions, users } from './application/aggregates.ts';
import { EVENTS } from './events.ts';
import { userProblems } from './http/problems.ts';
import { userRoutes } from './http/user-routes.ts';
import { commonPasswords } from './infrastructure/common-passwords.ts';
import { createGuesses } from './infrastructure/guesses.ts';
import { createPasswordHasher } from './infrastructure/password-hasher.ts';

export const USER_SERVICE = {
  name: 'user',
  settings: 'USER',
  schema: 'user_service',
  registry: EVENTS,
  migrations: fileURLToPath(new URL('./migrations', import.meta.url)),
  readModels: [inlineReadModel(users), inlineReadModel(sessions)],
  otherTables: ['credential'],
} as const;

export const openUserService = async ({ config, secrets, where }: Opening<keyof Secrets>): Promise<Service> => {
  const tokens = await createTokenIssuer(secrets.jwtPrivateKeys, config.PUBLIC_URL);
  const kit = openServiceKit({ ...USER_SERVICE, ...where, masterKey: secrets.masterKey });
  const hasher = createPasswordHasher(secrets.passwordPepper, config.PASSWORD_COST);
  const ports = {
    ...kit,
    hasher,
    tokens,
    guesses: createGuesses(where.limiter),
    commonPasswords,
    minPasswordLength: config.PASSWORD_MIN_LENGTH,
    open: config.AUTH_REGISTRATION === 'open',
  };
  return {
    ...USER_SERVICE,
    routes: userRoutes(ports),
    problems: userProblems,
    health: kit.health,
    keySet: tokens.keySet,
    close: kit.close,
  };
};
