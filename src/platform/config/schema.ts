/** Every environment variable, once: type, default, and what it is for. `.env.example` and the checks are made from it. */
import Type, { type Static, type TInteger, type TOptional, type TString } from 'typebox';
import { SAMPLERS } from '../telemetry/trace-context.ts';

const text = (description: string, fallback?: string) =>
  Type.String({ minLength: 1, description, ...(fallback !== undefined && { default: fallback }) });
const optional = (description: string) => Type.Optional(Type.String({ minLength: 1, description }));
const port = (description: string, fallback: number) =>
  Type.Integer({ minimum: 0, maximum: 65_535, description, default: fallback });

const copies = (service: string, portSetting: string) =>
  Type.Optional(
    Type.String({
      format: 'origins',
      description: `where other processes reach the ${service} service; copies with commas between; by default http://127.0.0.1:${portSetting}`,
    }),
  );

/** The compiler cannot compute keys made from a prefix by itself. */
type OwnDatabase<P extends string> = Record<`${P}_DB_${'HOST' | 'NAME' | 'USER' | 'PASSWORD'}`, TOptional<TString>> &
  Record<`${P}_DB_PORT`, TOptional<TInteger>>;
const ownDatabase = <const P extends string>(prefix: P, whose: string) =>
  ({
    [`${prefix}_DB_HOST`]: optional(
      `moves ${whose} to a server of its own; each setting that is not given is that of DB_*`,
    ),
    [`${prefix}_DB_PORT`]: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 65_535, description: `see ${prefix}_DB_HOST` }),
    ),
    [`${prefix}_DB_NAME`]: optional(`see ${prefix}_DB_HOST`),
    [`${prefix}_DB_USER`]: optional(`who connects there, with rights of its own: see \`taskwire roles\``),
    [`${prefix}_DB_PASSWORD`]: optional(`the password of ${prefix}_DB_USER`),
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
  USER_PORT: port('the port of a process of the user service alone', 8001),
  TASK_PORT: port('the port of a process of the task service alone', 8002),
  NOTIFICATION_PORT: port('the port of a process of the notification service alone', 8003),
  USER_SERVICE_URL: copies('user', 'USER_PORT'),
  TASK_SERVICE_URL: copies('task', 'TASK_PORT'),
  NOTIFICATION_SERVICE_URL: copies('notification', 'NOTIFICATION_PORT'),
  CORS_ORIGINS: Type.Optional(
    Type.String({
      format: 'origins',
      description:
        'the web pages of other origins that may ask here, such as https://app.example.org, with commas between',
    }),
  ),
  INSTANCE_ID: Type.Optional(
    Type.String({
      pattern: '^[A-Za-z0-9._-]{1,64}$',
      description: 'which copy of a service this process is: the same after a restart, another one for each copy',
    }),
  ),
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
  DB_USER: text(
    'the owner of the schemas, who migrates; the services take on their own roles, or log in as no more than these',
    'postgres',
  ),
  DB_PASSWORD: Type.String({ default: '', description: 'the password of DB_USER' }),
  ...ownDatabase('USER', 'the user service'),
  ...ownDatabase('TASK', 'the task service'),
  ...ownDatabase('NOTIFICATION', 'the notification service'),
  ...ownDatabase('KEYS', 'the keys of personal data'),
  REDIS_HOST: optional(
    'a Redis server (6.2 or newer) for what copies share: kept counts and rate limits; without it each process limits by itself, and keeps counts only of its own embedded database',
  ),
  REDIS_PORT: port('its port', 6379),
  REDIS_PASSWORD: Type.String({ default: '', description: 'its password' }),
  REDIS_TLS: Type.Unsafe<'on' | 'off'>({
    type: 'string',
    enum: ['on', 'off'],
    default: 'off',
    description: 'whether it is spoken to over TLS',
  }),
  RATE_LIMITS: Type.Unsafe<'on' | 'off'>({
    type: 'string',
    enum: ['on', 'off'],
    default: 'on',
    description: 'off for benches; refused in production',
  }),
  TRUSTED_PROXIES: Type.Optional(
    Type.String({
      format: 'networks',
      description:
        'proxies that say in X-Forwarded-For for whom they ask: addresses and networks (10.0.0.0/8), with commas between; nobody else is believed',
    }),
  ),
  KAFKA_BOOTSTRAP_SERVERS: Type.Optional(
    Type.String({
      pattern: '^[^\\s,:]+:\\d{1,5}(,[^\\s,:]+:\\d{1,5})*$',
      description:
        'brokers of Apache Kafka, as host:port, with commas between; without them the services read each other’s published events in the database',
    }),
  ),
  KAFKA_TOPIC_PARTITIONS: Type.Unsafe<number>({
    type: 'integer',
    enum: [1, 2, 4, 8, 16, 32, 64],
    default: 8,
    description:
      'the partitions that `taskwire topics apply` and `events republish` make topics with: so many copies of a service can share their events',
  }),
  KAFKA_TOPIC_REPLICAS: Type.Integer({
    minimum: 1,
    maximum: 5,
    default: 1,
    description: 'on how many brokers each topic lies; 3 in production: with one of them away all goes on',
  }),
  KAFKA_SASL_MECHANISM: Type.Optional(
    Type.Unsafe<'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'>({
      type: 'string',
      enum: ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'],
      description: 'how a process says who it is; with it KAFKA_USERNAME and KAFKA_PASSWORD',
    }),
  ),
  KAFKA_USERNAME: optional('see KAFKA_SASL_MECHANISM'),
  KAFKA_PASSWORD: optional('see KAFKA_SASL_MECHANISM'),
  KAFKA_TLS: optional(
    'system = TLS, by the certificates that this machine trusts; else a file of those to trust (PEM)',
  ),
  JWT_PRIVATE_KEYS: Type.Optional(
    Type.String({
      format: 'private-keys',
      description: 'a JWK set of ES256 private keys, newest first; by default one is made under DATA_DIR',
    }),
  ),
  MASTER_KEY: Type.Optional(
    Type.String({
      format: 'secrets',
      description:
        'wraps the keys of personal data; several with commas between, newest first, while one takes another’s place; by default one is made under DATA_DIR',
    }),
  ),
  PASSWORD_PEPPER: Type.Optional(
    Type.String({
      format: 'secrets',
      description:
        'secret that goes into every password hash; several as those of MASTER_KEY; made under DATA_DIR by default',
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
  SMTP_URL: Type.Optional(
    Type.String({
      format: 'smtp-address',
      description:
        'who carries mails: smtp://user:password@host:587, or smtps://; ?tls=required, ?tls=off; without it they lie in a mailbox here, at /dev/mailbox',
    }),
  ),
  MAIL_FROM: Type.Optional(
    Type.String({
      format: 'sender',
      description: 'whom mails come from; by default Taskwire <no-reply@HOST>, with the host of PUBLIC_URL',
    }),
  ),
  METRICS_TOKEN: Type.Optional(
    Type.String({
      minLength: 16,
      description:
        'who asks for /metrics must send it: Authorization: Bearer …; without it anybody may, and in production nobody',
    }),
  ),
  OTEL_EXPORTER_OTLP_ENDPOINT: Type.Optional(
    Type.String({
      format: 'web-address',
      description: 'a collector of traces, such as http://localhost:4318; without it none are recorded',
    }),
  ),
  OTEL_EXPORTER_OTLP_PROTOCOL: Type.Unsafe<'http/json'>({
    type: 'string',
    enum: ['http/json'],
    default: 'http/json',
    description: 'how it is spoken to',
  }),
  OTEL_EXPORTER_OTLP_HEADERS: optional('what it wants to be sent with each request: key=value, with commas between'),
  OTEL_SERVICE_NAME: optional('how this process is called in traces; by default taskwire, taskwire-user and so on'),
  OTEL_TRACES_SAMPLER: Type.Unsafe<(typeof SAMPLERS)[number]>({
    type: 'string',
    enum: [...SAMPLERS],
    default: 'parentbased_always_on',
    description: 'which traces are recorded',
  }),
  OTEL_TRACES_SAMPLER_ARG: Type.Number({
    minimum: 0,
    maximum: 1,
    default: 1,
    description: 'which part of them, for a sampler that draws lots',
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
    'for tests: kills the process at a durable step (before-append, after-append, after-commit, after-publish, after-effect, after-claim, after-smtp, rebuild-fill, rebuild-switch, rewrap-page); refused in production',
  ),
});
export type Environment = Static<typeof Environment>;
