/** Redis is killed, hung, flushed and filled with garbage under two copies that share it: that may cost speed, and nothing else. */
import { setTimeout as pause } from 'node:timers/promises';
import { HOLDS } from '../../../src/platform/cache/cache.ts';
import { type Answer, type Ask, asking, newPerson } from '../../e2e/support/client.ts';
import type { Server } from '../../e2e/support/product.ts';
import { REDIS, type RedisServer, startRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';
import { atLeast, atMost, control, type Figures, NONE, type Stage, scenario } from '../kit/scenario.ts';

const PEOPLE = 12;
const REST = 200;
/** ms of each state that Redis is in. */
const EACH = { short: 2_500, full: 20_000 };
const GARBAGE = `for _, key in ipairs(redis.call('keys', '*')) do
  redis.call('del', key)
  if math.random() < 0.3 then redis.call('rpush', key, 'a', 'list') else redis.call('set', key, tostring(math.random(9)) .. ARGV[1]) end
end`;

type Books = {
  readonly tell: (what: keyof ReturnType<typeof newFigures>, count?: number) => void;
  readonly took: (ms: number) => void;
};
const newFigures = () => ({
  requests: 0,
  'answered with 5xx': 0,
  'answered with 429': 0,
  'not answered': 0,
  commands: 0,
  'own writes not counted': 0,
  'ms behind in the other copy': 0,
});

/** Makes a task, and asks for counts: here, where each must be true at once, and in the other copy. */
const live = async (ask: Ask, there: Ask, books: Books, isOver: () => boolean): Promise<void> => {
  const asked = async (by: Ask, method: string, path: string, body?: object): Promise<Answer | undefined> => {
    books.tell('requests');
    const answer = await by(method, path, { ...(body && { body }) }).catch(() => undefined);
    if (answer === undefined) books.tell('not answered');
    else books.took(answer.ms);
    if (answer && answer.status >= 500) books.tell('answered with 5xx');
    if (answer?.status === 429) books.tell('answered with 429');
    return answer;
  };
  const count = async (by: Ask) =>
    Number((await asked(by, 'GET', '/api/v1/tasks?limit=1&count=true'))?.body?.totalCount ?? Number.NaN);
  let made = 0;
  let since = 0;
  while (!isOver()) {
    const created = await asked(ask, 'POST', '/api/v1/tasks', { title: `task ${made}` });
    if (created?.status === 201) {
      made += 1;
      since = performance.now();
      books.tell('commands');
    }
    for (let n = 0; n < 2; n += 1) {
      if ((await count(ask)) < made) books.tell('own writes not counted');
      const began = performance.now();
      if ((await count(there)) < made) books.tell('ms behind in the other copy', began - since);
      await asked(ask, 'GET', '/api/v1/inbox/unread-count');
    }
    await pause(REST * (0.5 + Math.random()));
  }
};

const percentile = (sorted: readonly number[], part: number) =>
  Math.round((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0) * 10) / 10;

type Lenses = (ask: Ask) => Ask;
const underLoad = async (
  { world, form, report }: Stage,
  happen: typeof troubles,
  lenses: Lenses = (ask) => ask,
): Promise<Figures> => {
  const redis = await startRedis(REDIS.probe() ?? '');
  const settings = { REDIS_HOST: '127.0.0.1', REDIS_PORT: String(redis.port), RATE_LIMITS: 'on' };
  const installation = await world.install(settings);
  const servers = [await installation.start(), await installation.join()] as const;
  for (const server of servers) await untilUsed(server);
  const figures = newFigures();
  const latencies = new Map<string, readonly number[]>();
  let state = 'there';
  let over = false;
  const books: Books = {
    took: (ms) => void latencies.set(state, [...(latencies.get(state) ?? []), ms]),
    tell: (what, count = 1) => {
      if (what === 'ms behind in the other copy') figures[what] = Math.max(figures[what], Math.round(count));
      else figures[what] += count;
    },
  };
  const people = await Promise.all(
    Array.from({ length: PEOPLE }, async (_, n) => {
      const [here, there] = n % 2 === 0 ? servers : ([servers[1], servers[0]] as const);
      const { token } = await newPerson(here.url);
      return { ask: lenses(asking(here.url, token)), there: lenses(asking(there.url, token)) };
    }),
  );
  const isNow = (which: string) => {
    state = which;
    report(`Redis is ${which}`);
  };
  const living = people.map(({ ask, there }) => {
    return live(ask, there, books, () => over);
  });
  let again = 0;
  try {
    for (const trouble of happen(redis)) {
      await pause(EACH[form] / 2);
      isNow(trouble.name);
      await trouble.during(EACH[form]);
      isNow('there');
      again = Math.max(again, await untilUsed(servers[0]), await untilUsed(servers[1]));
    }
  } finally {
    over = true;
    await Promise.all(living);
    await redis.stop();
  }
  return { ...figures, 'ms until used again': Math.round(again), ...inPercentiles(latencies) };
};

const inPercentiles = (latencies: ReadonlyMap<string, readonly number[]>): Figures =>
  Object.fromEntries(
    [...latencies].flatMap(([state, all]) => {
      const sorted = all.toSorted((a, b) => a - b);
      return (
        [
          ['p50', 0.5],
          ['p99', 0.99],
          ['slowest', 1],
        ] as const
      ).map(([name, part]) => [`${name} ms, Redis ${state}`, percentile(sorted, part)]);
    }),
  );

const troubles = (redis: RedisServer) => {
  const again = async (ms: number, act: () => Promise<unknown>) => {
    for (const end = performance.now() + ms; performance.now() < end; await pause(50)) await act();
  };
  return [
    {
      name: 'killed',
      during: async (ms: number) => {
        await redis.kill();
        await pause(ms);
        await redis.start();
      },
    },
    {
      name: 'hung',
      during: async (ms: number) => {
        redis.freeze();
        await pause(ms);
        redis.resume();
      },
    },
    { name: 'flushed', during: (ms: number) => again(ms, redis.flush) },
    { name: 'full of garbage', during: (ms: number) => again(ms, () => redis.ask('eval', GARBAGE, '0', 'garbage')) },
  ];
};

/** ms until a copy says that it uses Redis. */
const untilUsed = async (server: Server): Promise<number> => {
  const began = performance.now();
  const ask = asking(server.url);
  await until(
    'Redis to be used',
    async () => {
      const { body } = await ask('GET', '/health');
      return JSON.stringify(body?.parts).includes('"cache":{"status":"ok"');
    },
    30_000,
  );
  return performance.now() - began;
};

const keepingCounts: Lenses = (ask) => {
  const kept = new Map<string, { readonly answer: Answer; readonly until: number }>();
  return async (method, path, options) => {
    const found = method === 'GET' ? kept.get(path) : undefined;
    if (found && found.until > performance.now()) return found.answer;
    const answer = await ask(method, path, options);
    kept.set(path, { answer, until: performance.now() + 2_000 });
    return answer;
  };
};

export const redisAway = scenario('redis-away', {
  promise:
    'killing, hanging, flushing and overwriting Redis under load fails no request, and nobody misses what they wrote in a count',
  needs: REDIS,
  run: (stage) => underLoad(stage, troubles),
  bounds: () => ({
    'answered with 5xx': NONE,
    'answered with 429': NONE,
    'not answered': NONE,
    'own writes not counted': NONE,
    'ms behind in the other copy': atMost(HOLDS),
    'ms until used again': atMost(10_000),
    commands: atLeast(20),
  }),
  controls: [
    control('a reader that keeps counts for two seconds, whatever is written', {
      shows: 'own writes not counted',
      run: (stage) => underLoad(stage, (server) => troubles(server).slice(0, 1), keepingCounts),
    }),
  ],
});
