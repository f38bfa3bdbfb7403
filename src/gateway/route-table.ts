/** Which service answers for which addresses, and who may ask there. What is not in the table does not exist. */

export type ServiceName = 'user' | 'task' | 'notification';
export const SERVICE_NAMES = ['user', 'task', 'notification'] as const satisfies readonly ServiceName[];

export type Route = {
  readonly prefix: string;
  readonly service: ServiceName;
  /** user: a valid token is asked for here already, and again in the service. public: the service decides. */
  readonly access: 'public' | 'user';
  /** Whether an Idempotency-Key makes a write here repeatable; addresses that answer secrets take none. */
  readonly keyed: boolean;
  /** What is limited more strictly than the rest. */
  readonly limits?: 'login' | 'registration';
};

const AUTH = { service: 'user', access: 'public', keyed: false } as const;
export const ROUTES: readonly Route[] = [
  { prefix: '/api/v1/auth/login', ...AUTH, limits: 'login' },
  { prefix: '/api/v1/auth/register', ...AUTH, limits: 'registration' },
  { prefix: '/api/v1/auth', ...AUTH },
  { prefix: '/api/v1/me', service: 'user', access: 'user', keyed: true },
  { prefix: '/api/v1/users', service: 'user', access: 'user', keyed: true },
  { prefix: '/.well-known/jwks.json', service: 'user', access: 'public', keyed: false },
  { prefix: '/api/v1/tasks', service: 'task', access: 'user', keyed: true },
  { prefix: '/api/v1/categories', service: 'task', access: 'user', keyed: true },
  { prefix: '/api/v1/inbox', service: 'notification', access: 'user', keyed: true },
  { prefix: '/api/v1/dev/mailbox', service: 'notification', access: 'public', keyed: false },
  { prefix: '/dev/mailbox', service: 'notification', access: 'public', keyed: false },
];
