/** Everything starts in any order: a process says what it waits for, and serves by itself once that is there. */
import { setTimeout as pause } from 'node:timers/promises';
import { asking, newPerson } from '../../e2e/support/client.ts';
import type { Run } from '../../e2e/support/product.ts';
import { openProxy } from '../../e2e/support/proxy.ts';
import { freePort } from '../../support/free-port.ts';
import { REDIS, startRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';
import type { Chance } from '../kit/chance.ts';
import { atLeast, atMost, control, type Figures, NONE, type Stage, scenario } from '../kit/scenario.ts';
import { type DistributedInstallation, distributed, type Part } from '../kit/world.ts';

/** What may be missing, in the order in which a process looks for it; what it says then. Nobody waits for Redis. */
const MISSING = {
  database: /waiting for the database/,
  schemas: /waiting for the schema/,
  broker: /wait(s|ing) for the broker/,
  topics: /has no topic .+ yet/,
} as const;
type Thing = keyof typeof MISSING;
type Step = Thing | Part | 'redis';

const SERVICE: readonly Thing[] = ['database', 'schemas', 'broker', 'topics'];
const NEEDS: Readonly<Record<Step, readonly Thing[]>> = {
  database: [],
  broker: [],
  redis: [],
  schemas: ['database'],
  topics: ['broker'],
  user: SERVICE,
  task: SERVICE,
  notification: SERVICE,
  gateway: [],
};
const STEPS: readonly Step[] = [
  ...(['database', 'broker', 'redis', 'schemas', 'topics'] as const),
  ...(['user', 'task', 'notification', 'gateway'] as const),
];
const ORDERS = { short: 1, full: 8 };
/** So many have to wait, or the order is drawn again. */
const WAITING = 4;
const SERVED = 60_000;

const orderBy = (chance: Chance): readonly Step[] => {
  const order = STEPS.map((step) => ({ step, place: chance.between(0, 1_000_000) }))
    .sort((one, other) => one.place - other.place)
    .map(({ step }) => step);
  const waits = order.filter((step, n) => NEEDS[step].some((thing) => order.indexOf(thing) > n));
  return waits.length < WAITING ? orderBy(chance) : order;
};

/** A process, and what it needs before it has done what it is for. */
type Started = { readonly step: Step; readonly run: Run; readonly done: () => Promise<unknown> };

const isCommand = ({ step }: Started): boolean => step === 'schemas' || step === 'topics';

/** An installation of which nothing is there yet, and how each part of it comes. */
const openSite = async ({ world }: Stage) => {
  const redis = await startRedis(REDIS.probe() ?? '');
  const port = await freePort(); // nobody is there until the database comes
  const installation = await distributed(world).install(
    { REDIS_HOST: '127.0.0.1', REDIS_PORT: String(redis.port) },
    { isBare: true },
  );
  const { cluster, taskwire, startPart } = installation;
  const { host, port: name } = await installation.address();
  await Promise.all([redis.kill(), cluster.nodes[0]?.kill()]);
  const env = { DB_HOST: '127.0.0.1', DB_PORT: String(port) };
  let proxy: Awaited<ReturnType<typeof openProxy>> | undefined;

  const command = (step: Step, ...args: readonly string[]): Started => {
    const run = taskwire(args, { env });
    return { step, run, done: () => run.exit };
  };
  const part = async (step: Part): Promise<Started> => {
    const run = await startPart(step, { env });
    return { step, run, done: () => run.said(/is ready at http/) };
  };
  const begin = async (step: Step): Promise<readonly Started[]> => {
    switch (step) {
      case 'database':
        proxy = await openProxy(`${host}/.s.PGSQL.${name}`, port);
        return [];
      case 'broker':
        cluster.nodes[0]?.start();
        await cluster.ready();
        return [];
      case 'redis':
        await redis.start();
        return [];
      case 'schemas':
        return [command(step, 'migrate'), command(step, 'migrate')];
      case 'topics':
        return [command(step, 'topics', 'apply')];
      default:
        return [await part(step)];
    }
  };
  const close = async () => {
    await Promise.all([proxy?.close(), redis.stop()]);
  };
  return { installation, begin, close };
};

/** One order, from nothing to a product that works. */
const startIn = async (stage: Stage, order: readonly Step[]): Promise<Figures> => {
  const { installation, begin, close } = await openSite(stage);
  const there = new Set<Step>();
  const started: Started[] = [];
  let waits = 0;
  const firstMissing = (step: Step) => NEEDS[step].find((thing) => !there.has(thing));
  try {
    let began = performance.now();
    for (const step of order) {
      began = performance.now();
      started.push(...(await begin(step)));
      if (firstMissing(step) === undefined) there.add(step);
      for (let more = 0; more < there.size; ) {
        more = there.size;
        // Whoever can go on does, commands first, for they bring what others need; all others say what they wait for now.
        for (const one of started.toSorted((a, b) => Number(isCommand(b)) - Number(isCommand(a)))) {
          const missing = firstMissing(one.step);
          await (missing ? one.run.said(MISSING[missing]) : one.done()).catch((error: unknown) => {
            throw new Error(`${one.step}, started as ${order.join(', ')}, said:\n${one.run.output()}`, {
              cause: error,
            });
          });
          if (!missing) there.add(one.step);
        }
      }
      waits += started.filter(({ step: one }) => firstMissing(one)).length;
    }
    const served = performance.now() - began;
    const commands = started.filter(isCommand);
    const codes = await Promise.all(commands.map(({ run }) => run.exit.then(({ code }) => code)));
    await works(installation);
    return {
      'somebody waited, and said for what': waits,
      'commands that failed': codes.filter((code) => code !== 0).length,
      'processes that ended': started.filter((one) => !commands.includes(one) && !one.run.running()).length,
      'ms until all served': Math.round(served),
    };
  } finally {
    await close();
    await stage.world.clear();
  }
};

/** It is one product, and uses the Redis that came. */
const works = async ({ url }: DistributedInstallation): Promise<void> => {
  const allWell = async () => {
    const health = await asking(url)('GET', '/health').catch(() => undefined); // a busy machine may be late
    return health && !/"status":"(degraded|down)"/.test(JSON.stringify(health.body));
  };
  await until('all to be well, Redis too', allWell, SERVED);
  const { ask } = await newPerson(url);
  const made = await ask('POST', '/api/v1/tasks', { body: { title: 'In any order' } });
  const done = await ask('POST', `${made.headers.get('location')}/complete`);
  if (done.status !== 200) throw new Error(`completing a task: ${done.status} ${JSON.stringify(done.body)}`);
  const isTold = async () => JSON.stringify((await ask('GET', '/api/v1/inbox')).body).includes('In any order');
  await until('what was done to be told', isTold, SERVED);
};

export const startOrder = scenario('start-order', {
  promise:
    'processes start in any order, whatever is missing still: each says what it waits for, and serves once that is there',
  topologies: ['distributed'],
  needs: REDIS,
  run: async (stage) => {
    const all: Figures[] = [];
    for (let n = 0; n < ORDERS[stage.form]; n += 1) {
      const order = orderBy(stage.chance);
      stage.report(order.join(', '));
      all.push(await startIn(stage, order));
    }
    const sum = (name: string) => all.reduce((total, figures) => total + (figures[name] ?? Number.NaN), 0);
    return {
      'orders tried': all.length,
      'somebody waited, and said for what': sum('somebody waited, and said for what'),
      'commands that failed': sum('commands that failed'),
      'processes that ended': sum('processes that ended'),
      'ms until all served': Math.max(...all.map((figures) => figures['ms until all served'] ?? Number.NaN)),
    };
  },
  bounds: (form) => ({
    'orders tried': atLeast(ORDERS[form]),
    'somebody waited, and said for what': atLeast(ORDERS[form] * WAITING),
    'commands that failed': NONE,
    'processes that ended': NONE,
    'ms until all served': atMost(SERVED),
  }),
  controls: [
    control('a process that expects everything to be there', {
      shows: 'processes that ended',
      run: async ({ world }) => {
        const nobody = `127.0.0.1:${await freePort()}`;
        const DATABASE = JSON.stringify({ host: '127.0.0.1', port: await freePort(), user: 'taskwire' });
        const env = { DATABASE, BOOTSTRAP: nobody };
        const run = world.program('tests/guarantees/naive/publisher.ts', [], { env });
        await Promise.race([run.exit, pause(20_000)]);
        return { 'processes that ended': run.running() ? 0 : 1 };
      },
    }),
  ],
});
