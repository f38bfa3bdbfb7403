/** Every environment variable, once: type, default, and what it is for. `.env.example` and the checks are made from it. */
import Type, { type Static, type TInteger, type TOptional, type TString } from 'typebox';

const text = (description: string, fallback?: string) =>
  Type.String({ minLength: 1, description, ...(fallback !== undefined && { default: fallback }) });
const optional = (description: string) => Type.Optional(Type.String({ minLength: 1, description }));
const port = (description: string, fallback: number) =>
  Type.Integer({ minimum: 0, maximum: 65_535, description, default: fallback });

/** The compiler cannot compute keys made from a prefix by itself. */
type OwnDatabase<P extends string> = Record<`${P}_DB_${'HOST' | 'NAME' | 'USER' | 'PASSWORD'}`, TOptional<TString>> &
  Record<`${P}_DB_PORT`, TOptional<TInteger>>;
const ownDatabase = <const P extends string>(prefix: P, whose: string) =>
  ({
    [`${prefix}_DB_HOST`]: optional(`moves ${whose} into a database of its own; its other settings default to DB_*`),
    [`${prefix}_DB_PORT`]: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 65_535, description: `see ${prefix}_DB_HOST` }),
    ),
    [`${prefix}_DB_NAME`]: optional(`see ${prefix}_DB_HOST`),
    [`${prefix}_DB_USER`]: optional(`see ${prefix}_DB_HOST`),
    [`${prefix}_DB_PASSWORD`]: optional(`see ${prefix}_DB_HOST`),
  }) as OwnDatabase<P>;

export const Environment = Type.Object({
  NODE_ENV: Type.Unsafe<'development' | 'production' | 'test'>({
    type: 'string',
    enum: ['development', 'production', 'test'],
    default: 'development',
    description: 'in production, secrets must be given and weak settings stop the start',
  }),
  HOST: text('the address to listen on', '127.0.0.1'),
  PORT: port('the port to listen on; 0 = any free one', 8000),
  PUBLIC_URL: Type.Optional(
    Type.String({
      format: 'web-address',
      description: 'how people reach this installation; by default http://localhost:PORT',
    }),
  ),
  DATA_DIR: text('where the embedded database and generated keys lie', './data'),
  DB_HOST: optional('a PostgreSQL server (15 or newer); without it, one is started here under DATA_DIR'),
  DB_PORT: port('its port', 5432),
  DB_NAME: text('the database', 'taskwire'),
  DB_USER: text('the owner of the schemas, who migrates; the services take on their own roles', 'postgres'),
  DB_PASSWORD: Type.String({ default: '', description: 'the password of DB_USER' }),
  ...ownDatabase('USER', 'the user service'),
  ...ownDatabase('TASK', 'the task service'),
  ...ownDatabase('KEYS', 'the keys of personal data'),
  JWT_PRIVATE_KEYS: Type.Optional(
    Type.String({
      format: 'private-keys',
      description: 'a JWK set of ES256 private keys, newest first; by default one is made under DATA_DIR',
    }),
  ),
  MASTER_KEY: Type.Optional(
    Type.String({
      minLength: 32,
      description: 'wraps the keys of personal data; by default one is made under DATA_DIR',
    }),
  ),
  PASSWORD_PEPPER: Type.Optional(
    Type.String({
      minLength: 32,
      description: 'secret that goes into every password hash; made under DATA_DIR by default',
    }),
  ),
  PASSWORD_MIN_LENGTH: Type.Integer({
    minimum: 8,
    maximum: 64,
    default: 12,
    description: 'characters a password must have',
  }),
  PASSWORD_COST: Type.Integer({
    minimum: 4,
    maximum: 16,
    default: 12,
    description: 'bcrypt cost; at least 12 in production',
  }),
  AUTH_REGISTRATION: Type.Unsafe<'open' | 'closed'>({
    type: 'string',
    enum: ['open', 'closed'],
    default: 'open',
    description: 'whether anybody may register',
  }),
  LOG_LEVEL: Type.Unsafe<'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'>({
    type: 'string',
    enum: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
    default: 'info',
    description: 'the least severe entries that are logged',
  }),
  LOG_FORMAT: Type.Unsafe<'auto' | 'json' | 'text'>({
    type: 'string',
    enum: ['auto', 'json', 'text'],
    default: 'auto',
    description: 'how entries are written; auto = text in a terminal, else JSON',
  }),
  FAIL_POINT: optional(
    'for tests: kills the process at a durable step (before-append, after-append, after-commit); refused in production',
  ),
});
export type Environment = Static<typeof Environment>;
