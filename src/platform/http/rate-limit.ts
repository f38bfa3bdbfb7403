/**
 * Nobody may use up what all share. Who is counted: a person wherever they are, whoever has no token by their address;
 * whoever tries passwords or registers, more strictly, by address and by the account that they name there. An account
 * is never counted alone: whoever knows somebody's e-mail address could keep them out.
 *
 * Answers carry RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers-10), so that a client can slow down
 * before it is refused: 429 with Retry-After. Health is asked without limit: whoever refuses that is taken for dead.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Allowance, Limit } from '../cache/gcra.ts';
import { type Counted, createMemoryLimiter, type Limiter } from '../cache/limits.ts';
import { addressKey } from './client-address.ts';
import { refuse } from './problems.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** none: never refused; login, registration: counted beside what everybody may do. */
    limits?: 'none' | 'login' | 'registration';
  }
  interface FastifyRequest {
    allowances: readonly Allowance[] | undefined;
  }
}

/** Wide enough that no person meets one. `quota` may be spent at once, and comes back evenly over `window` seconds. */
const limit = (name: string, quota: number, window: number): Limit => ({ name, quota, window });
export const LIMITS = {
  person: limit('person', 1_200, 60),
  anonymous: limit('anonymous', 600, 60),
  login: { address: limit('login', 60, 60), account: limit('login-account', 10, 60) },
  registration: { address: limit('registration', 100, 600), account: limit('registration-account', 10, 600) },
} as const;
/** Of one address in one process, valid or not: before tokens are looked at, for that is what costs. */
const FLOOD = limit('address', 12_000, 60);
/**
 * Bytes that lie here for one address because it does not read them. An answer counts for as much as its connection to a
 * service is worth at least, which it may hold: so 128 of them.
 */
const MOST_UNREAD = 64 * 1024 * 1024;
const LEAST = 512 * 1024;
const LOOK_EVERY = 1_000;

export type RateLimits = {
  /** Shared by all processes, or this one's own. */
  readonly limiter: Limiter;
  /**
   * edge: people and addresses, where requests come in; accounts: those that bodies name, where bodies are read. By
   * default both, as in a process that is both.
   */
  readonly counts?: readonly ('edge' | 'accounts')[] | undefined;
};

/** Must come before the hook that looks at tokens. */
export const limitRates = (app: FastifyInstance, { limiter, counts = ['edge', 'accounts'] }: RateLimits): void => {
  app.decorateRequest('allowances', undefined);
  const isLimited = ({ is404, routeOptions }: FastifyRequest) => is404 || routeOptions.config.limits !== 'none';
  const count = async (request: FastifyRequest, counted: readonly Counted[]): Promise<void> => {
    const allowances = await limiter.take(counted);
    request.allowances = [...(request.allowances ?? []), ...allowances];
    refuseBeyond(allowances);
  };
  app.addHook('onSend', ({ allowances }, reply, payload, done) => {
    if (allowances) addFields(reply, fieldsOf(allowances));
    done(null, payload);
  });

  if (counts.includes('edge')) {
    boundUnread(app);
    const flood = createMemoryLimiter();
    app.addHook('onRequest', async (request) => {
      if (isLimited(request)) refuseBeyond(await flood.take([{ limit: FLOOD, key: addressKey(request.ip) }]));
    });
    app.addHook('preParsing', async (request) => {
      if (isLimited(request)) await count(request, edgeOf(request));
    });
  }
  if (counts.includes('accounts')) {
    app.addHook('preHandler', (request, _reply, done) => {
      const account = accountOf(request);
      if (account === undefined) done();
      else count(request, [account]).then(() => done(), done);
    });
  }
};

/** Whoever has too much of theirs lie here loses the oldest of it: so one who does not read keeps nobody out beside them. */
const boundUnread = (app: FastifyInstance): void => {
  const begun = new Set<FastifyReply>();
  app.addHook('onSend', (_request, reply, payload, done) => {
    // One whose client has left before it began has closed already, and would be kept here for ever.
    if (!reply.raw.destroyed) {
      begun.add(reply);
      reply.raw.once('close', () => begun.delete(reply));
    }
    done(null, payload);
  });
  const looking = setInterval(() => {
    const unread = new Map<string, number>();
    for (const { request, raw } of [...begun].toReversed()) {
      const key = addressKey(request.ip);
      const bytes = (unread.get(key) ?? 0) + Math.max(raw.writableLength, LEAST);
      unread.set(key, bytes);
      if (bytes > MOST_UNREAD) raw.destroy();
    }
  }, LOOK_EVERY).unref();
  app.addHook('onClose', async () => clearInterval(looking));
};

const edgeOf = ({ principal, ip, routeOptions }: FastifyRequest): readonly Counted[] => {
  const address = addressKey(ip);
  const { limits } = routeOptions.config;
  return [
    principal ? { limit: LIMITS.person, key: principal.userId } : { limit: LIMITS.anonymous, key: address },
    ...(limits === 'login' || limits === 'registration' ? [{ limit: LIMITS[limits].address, key: address }] : []),
  ];
};
const accountOf = ({ body, ip, routeOptions }: FastifyRequest): Counted | undefined => {
  const { limits } = routeOptions.config;
  if (limits !== 'login' && limits !== 'registration') return undefined;
  const email = typeof body === 'object' && body !== null && 'email' in body ? String(body.email) : '';
  return { limit: LIMITS[limits].account, key: `${addressKey(ip)} ${email.toLowerCase()}` };
};

const fieldsOf = (allowances: readonly Allowance[]): Readonly<Record<string, string>> => ({
  'ratelimit-policy': allowances
    .map(({ limit: { name, quota, window } }) => `"${name}";q=${quota};w=${window}`)
    .join(', '),
  ratelimit: allowances.map(({ limit, remaining, reset }) => `"${limit.name}";r=${remaining};t=${reset}`).join(', '),
});

/** Before those that a service has set, whose answer passes through here. */
const addFields = (reply: FastifyReply, fields: Readonly<Record<string, string>>): void => {
  for (const [name, own] of Object.entries(fields)) {
    const passed = reply.getHeader(name);
    reply.header(name, passed === undefined ? own : `${own}, ${passed}`);
  }
};

const refuseBeyond = (allowances: readonly Allowance[]): void => {
  const beyond = allowances.filter(({ allowed }) => !allowed);
  if (beyond.length === 0) return;
  const told = beyond.map(({ limit: { name, quota, window } }) => `${name}, ${quota} in ${window} s`).join('; ');
  throw refuse('rate-limited', {
    detail: `Slow down: Retry-After says when the next one may come. The limit is ${told}.`,
    headers: { 'retry-after': String(Math.max(1, ...beyond.map(({ retryAfter }) => retryAfter))) },
  });
};
