/**
 * What is good enough to try things out, and nowhere else. In production each of these stops the start, all of them named
 * at once. Values are never quoted.
 */
import { secretsIn } from '../keys/secret-list.ts';
import type { Environment } from './schema.ts';

type Values = Partial<Environment>;
type Name = keyof Environment;

/** What a process serves: every service, one of them, or none, as the gateway. */
export type Role = 'all' | 'user' | 'task' | 'notification' | 'gateway';
/** What may not be left to a default: what each uses, for who is told no secret cannot betray it. */
const REQUIRED: Readonly<Record<Role, readonly Name[]>> = {
  all: ['JWT_PRIVATE_KEYS', 'MASTER_KEY', 'PASSWORD_PEPPER', 'PUBLIC_URL', 'SMTP_URL'],
  user: ['JWT_PRIVATE_KEYS', 'MASTER_KEY', 'PASSWORD_PEPPER', 'PUBLIC_URL'],
  task: ['MASTER_KEY', 'PUBLIC_URL'],
  // Without SMTP_URL, mails would lie in a mailbox that anybody may read.
  notification: ['MASTER_KEY', 'PUBLIC_URL', 'SMTP_URL'],
  gateway: ['PUBLIC_URL'],
};

/** One line for each fault. Other settings may be invalid: those are named already. */
export const productionFaults = (values: Values, role: Role): readonly string[] => [
  ...REQUIRED[role].filter((name) => values[name] === undefined).map((name) => `${name} must be given in production`),
  ...secretFaults(values),
  ...serverFaults(values),
  ...(values.PUBLIC_URL !== undefined && isPlainHttp(values.PUBLIC_URL)
    ? ['PUBLIC_URL must begin with https:// in production, unless it is this machine: passwords and tokens go there']
    : []),
  ...(Number(values.PASSWORD_COST) < 12 ? ['PASSWORD_COST must be at least 12 in production'] : []),
  ...(values.RATE_LIMITS === 'off' ? ['RATE_LIMITS must be on in production'] : []),
  ...(values.FAIL_POINT !== undefined ? ['FAIL_POINT is for tests'] : []),
  ...(values.SMTP_URL !== undefined && sendsInClear(values.SMTP_URL)
    ? ['SMTP_URL must not say tls=off in production, unless the server is on this machine']
    : []),
];

/** One secret, or several. */
const LISTS = ['MASTER_KEY', 'PASSWORD_PEPPER'] as readonly Name[];
const PASSWORDS = [
  'DB_PASSWORD',
  'USER_DB_PASSWORD',
  'TASK_DB_PASSWORD',
  'NOTIFICATION_DB_PASSWORD',
  'KEYS_DB_PASSWORD',
  'REDIS_PASSWORD',
  'KAFKA_PASSWORD',
] as readonly Name[];
const SHORTEST_PASSWORD = 12;

const secretFaults = (values: Values): readonly string[] => {
  const given = [...LISTS, 'METRICS_TOKEN' as const, ...PASSWORDS].flatMap((name) => {
    const value = values[name];
    if (typeof value !== 'string') return [];
    const all = LISTS.includes(name) ? secretsIn(value) : [value];
    return all.filter((one) => one !== '').map((one) => ({ name, value: one }));
  });
  const faults = [
    ...given
      .filter(({ name, value }) => PASSWORDS.includes(name) && value.length < SHORTEST_PASSWORD)
      .map(({ name }) => `${name} must have at least ${SHORTEST_PASSWORD} characters in production`),
    ...given
      .filter(({ value }) => isGuessable(value))
      .map(({ name }) => `${name} must be random in production: this is an example, or repeats itself`),
    // Logins of several services may share a password of the server; whoever knows it has one secret then, not two kinds.
    ...given.flatMap(({ name, value }, n) =>
      given
        .slice(n + 1)
        .filter((other) => other.value === value && !(isDatabase(name) && isDatabase(other.name)))
        .map((other) =>
          other.name === name ? `${name} must name each secret once` : `${name} and ${other.name} must differ`,
        ),
    ),
    ...(repeatsAKey(values.JWT_PRIVATE_KEYS) ? ['JWT_PRIVATE_KEYS must name each key once'] : []),
  ];
  return [...new Set(faults)]; // once each, of however many secrets of a list
};
const isDatabase = (name: Name): boolean => name.endsWith('DB_PASSWORD');

const EXAMPLE =
  /change|example|secret|password|passwort|default|insecure|development|sample|123456|qwerty|postgres|taskwire/i;
/** What somebody would try: words of examples, and what has few different characters or repeats a beginning of itself. */
const isGuessable = (value: string): boolean =>
  EXAMPLE.test(value) || new Set(value).size < 6 || /^(.{1,16})\1+$/.test(value);

/** Two keys of one name cannot be told apart; one key under two names is not rotated. */
const repeatsAKey = (keys: string | undefined): boolean => {
  if (keys === undefined) return false;
  try {
    const { keys: all } = JSON.parse(keys) as {
      readonly keys: readonly { readonly kid?: string; readonly d?: string }[];
    };
    const differ = (part: 'kid' | 'd') => new Set(all.map((key) => key[part])).size === all.length;
    return !(differ('kid') && differ('d'));
  } catch {
    return false; // what is no JWK set is named already
  }
};

/** A server that asks nobody who they are is for everybody in its network. One behind a socket or on this machine is not. */
const serverFaults = (values: Values): readonly string[] => [
  ...(isElsewhere(values.DB_HOST) && missesPassword(values)
    ? ['DB_PASSWORD must be given in production, or that of each service']
    : []),
  ...(isElsewhere(values.REDIS_HOST) && !values.REDIS_PASSWORD ? ['REDIS_PASSWORD must be given in production'] : []),
  ...(values.KAFKA_SASL_MECHANISM !== undefined && !values.KAFKA_PASSWORD
    ? ['KAFKA_PASSWORD must be given in production with KAFKA_SASL_MECHANISM']
    : []),
  ...(values.KAFKA_SASL_MECHANISM === 'PLAIN' && values.KAFKA_TLS === undefined
    ? ['KAFKA_SASL_MECHANISM must not be PLAIN in production without KAFKA_TLS: the password would be sent as it is']
    : []),
];
const isElsewhere = (host: string | undefined): boolean =>
  host !== undefined && !host.startsWith('/') && !LOOPBACK.test(host) && host !== '::1';
const missesPassword = (values: Values): boolean =>
  !values.DB_PASSWORD && !values.USER_DB_PASSWORD && !values.TASK_DB_PASSWORD && !values.NOTIFICATION_DB_PASSWORD;

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;
const isPlainHttp = (address: string): boolean => {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  return url?.protocol === 'http:' && !LOOPBACK.test(url.hostname);
};
/** Whether mails, and the password for sending them, would cross a network that anybody may listen on. */
const sendsInClear = (address: string): boolean => {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  return url?.searchParams.get('tls') === 'off' && url.protocol === 'smtp:' && !LOOPBACK.test(url.hostname);
};
