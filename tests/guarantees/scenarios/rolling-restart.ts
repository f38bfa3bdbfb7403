/** All services and the gateway, two copies of each, are stopped and begun again copy by copy under load: nobody notices. */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { newPerson, PASSWORD } from '../../e2e/support/client.ts';
import { freePort } from '../../support/free-port.ts';
import { REDIS, startRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';
import { atLeast, atMost, control, type Figures, NONE, type Stage, scenario } from '../kit/scenario.ts';
import { distributed } from '../kit/world.ts';
import { type Company, copiesReached, type Post, staffed } from '../load/company.ts';
import { acknowledgedSince } from '../load/storm.ts';
import { ALL_KEPT, trial } from '../load/trial.ts';
import { type Failure, failureIn } from '../load/writers.ts';

const SERVICES = ['user', 'task', 'notification'] as const;
const PARTS = [...SERVICES, 'gateway'] as const;
const COPIES = PARTS.flatMap((part) => [part, `${part}-2`].map((name) => ({ name, part })));
const FIRST = PARTS.map((part): string => part);
const SECOND = PARTS.map((part) => `${part}-2`);
/** Who is restarted at once: of each part one, or in the full form also each by itself. */
const WAVES = {
  short: [FIRST, SECOND],
  full: [...COPIES.map(({ name }) => [name]), FIRST, SECOND],
};
const ROUNDS = { short: 1, full: 3 };
const STOPPED = 10_000;
const VISITORS = 4;
/** ms between a visitor's requests: what is lost is lost at the moment of a stop, and not by how much is asked. */
const THINKING = 25;

/** Posts for two of each, and where their gateways are. */
const twoOfEach = async () => {
  const copies = await Promise.all(COPIES.map(async (copy) => ({ ...copy, port: String(await freePort()) })));
  const urlsOf = (wanted: string) =>
    copies.flatMap(({ part, port }) => (part === wanted ? [`http://127.0.0.1:${port}`] : []));
  const where = Object.fromEntries(SERVICES.map((one) => [`${one.toUpperCase()}_SERVICE_URL`, urlsOf(one).join()]));
  const postOf = ({ name, part, port }: (typeof copies)[number]): Post => {
    const portOf = part === 'gateway' ? 'PORT' : `${part.toUpperCase()}_PORT`;
    return { part, env: { ...where, [portOf]: port, INSTANCE_ID: name, LOG_LEVEL: 'info' } };
  };
  return {
    posts: Object.fromEntries(copies.map((copy) => [copy.name, postOf(copy)])),
    gateways: urlsOf('gateway'),
  };
};

/** Both gateways would send requests to both copies of every service. */
const isWhole = async (gateways: readonly string[]): Promise<boolean> => {
  const asked = gateways.flatMap((url) => SERVICES.map((service) => copiesReached(url, service)));
  return (await Promise.all(asked)).every((copies) => copies === 2);
};

/** People who read and write at every service all the time, without keys: nothing of theirs may be asked again. */
const startVisitors = async (url: string) => {
  let isOver = false;
  let [reads, writes, slowestAnswer] = [0, 0, 0];
  const failures: Failure[] = [];
  const visit = async ({ ask, email }: Awaited<ReturnType<typeof newPerson>>): Promise<void> => {
    const asked = async (method: string, path: string, body?: object): Promise<void> => {
      await pause(THINKING);
      if (method === 'GET') reads += 1;
      else writes += 1;
      const requestId = randomUUID();
      const headers = { 'x-request-id': requestId };
      const began = performance.now();
      const ended = await ask(method, path, { ...(body && { body }), headers }).catch((error: Error) => error);
      slowestAnswer = Math.max(slowestAnswer, performance.now() - began);
      const what = failureIn(ended, ({ status, body }) => status >= 300 || body?.partial === true);
      if (what !== undefined) failures.push({ requestId, what: `${method} ${path}: ${what}` });
    };
    while (!isOver) {
      await asked('POST', '/api/v1/tasks', { title: randomUUID() });
      await asked('GET', '/api/v1/tasks?limit=5&count=true');
      await asked('PATCH', '/api/v1/me', { displayName: randomUUID() });
      await asked('GET', '/api/v1/me');
      await asked('POST', '/api/v1/auth/login', { email, password: PASSWORD });
      await asked('POST', '/api/v1/inbox/read-all');
      await asked('GET', '/api/v1/inbox?limit=5');
      await asked('GET', '/api/v1/dashboard');
    }
  };
  const people = await Promise.all(Array.from({ length: VISITORS }, () => newPerson(url)));
  const visiting = people.map(visit);
  return {
    stop: async () => {
      isOver = true;
      await Promise.all(visiting);
      return { reads, writes, slowestAnswer, failures };
    },
  };
};

type Stop = (company: Company, name: string) => ReturnType<Company['stop']>;
const bySigterm: Stop = (company, name) => company.stop(name);
const byKill: Stop = async (company, name) => {
  const began = performance.now();
  await company.kill(name);
  return { code: null, ms: performance.now() - began };
};

const restarted = async (stage: Stage, rounds: number, stop: Stop): Promise<Figures> => {
  const redis = await startRedis(REDIS.probe() ?? '');
  try {
    const { posts, gateways } = await twoOfEach();
    const installed = await distributed(stage.world).install({
      REDIS_HOST: '127.0.0.1',
      REDIS_PORT: String(redis.port),
    });
    const { installation, company } = staffed({ ...installed, url: gateways.join() }, posts);
    return await trial(stage, {
      installation,
      writers: 4,
      rest: 80,
      meanwhile: async ({ writers }): Promise<Figures> => {
        await until('all copies to be asked', () => isWhole(gateways));
        const before = writers.failures.length; // a gateway that was there first has yet to see the others
        const visitors = await startVisitors(gateways.join());
        let [restarts, unclean, slowest] = [0, 0, 0];
        const restart = async (name: string): Promise<void> => {
          const { code, ms } = await stop(company(), name);
          restarts += 1;
          unclean += code === 0 ? 0 : 1;
          slowest = Math.max(slowest, ms);
          await company().begin(name);
        };
        for (let round = 1; round <= rounds; round += 1) {
          for (const wave of WAVES[stage.form]) {
            await acknowledgedSince(writers);
            await pause(stage.chance.between(0, 500)); // at a random moment: what is awaited is none
            await Promise.all(wave.map(restart));
            await until('all copies to be asked again', () => isWhole(gateways));
            stage.report(`${wave.join(', ')} of round ${round} of ${rounds}, ${writers.entries.length} commands`);
          }
        }
        await acknowledgedSince(writers);
        const { reads, writes, slowestAnswer, failures } = await visitors.stop();
        const failed = [...failures, ...writers.failures.slice(before)];
        for (const { requestId, what } of failed) stage.report([what, ...company().linesOf(requestId)].join('\n  '));
        return {
          'copies restarted': restarts,
          'reads asked': reads,
          'writes asked': writes + writers.statuses.values().reduce((sum, times) => sum + times, 0),
          failed: failed.length,
          'slowest answer, ms': Math.round(Math.max(slowestAnswer, writers.slowest())),
          'exits other than 0': unclean,
          'slowest stop, ms': Math.round(slowest),
          'keys in Redis': Number(await redis.ask('dbsize')),
        };
      },
    });
  } finally {
    await redis.stop();
  }
};

export const rollingRestart = scenario('rolling-restart', {
  promise:
    'a rolling restart of all services, two copies of each, fails no request, and each process ends with exit code 0 within 10 s',
  topologies: ['distributed'],
  needs: REDIS,
  run: (stage) => restarted(stage, ROUNDS[stage.form], bySigterm),
  bounds: (form) => ({
    ...ALL_KEPT,
    'copies restarted': atLeast(ROUNDS[form] * WAVES[form].flat().length),
    'reads asked': atLeast(200),
    'writes asked': atLeast(200),
    failed: NONE,
    'exits other than 0': NONE,
    'slowest stop, ms': atMost(STOPPED),
    'keys in Redis': atLeast(1), // it was really used
  }),
  controls: [
    control('the same by kill -9', {
      shows: 'failed',
      run: (stage) => restarted(stage, 1, byKill),
    }),
  ],
});
