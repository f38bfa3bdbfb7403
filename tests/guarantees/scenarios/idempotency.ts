/** One Idempotency-Key, used fifty times at once, while everything is killed and started again. */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { asking } from '../../e2e/support/client.ts';
import { answering, type Server } from '../../e2e/support/product.ts';
import { until } from '../../support/until.ts';
import type { Chance } from '../kit/chance.ts';
import { atLeast, control, type Figures, NONE, type Stage, scenario } from '../kit/scenario.ts';
import { productOn } from '../load/product.ts';
import { isLost } from '../load/writers.ts';

const USES = 50;
const KEYS = { short: 4, full: 40 };
const RETRY_PAUSE = 100;

type Keyed = {
  start(failPoint?: string): Promise<Server>;
  /** Logs somebody in, and answers a token; they are registered at `url`. */
  person(url: string): Promise<(url: string) => Promise<string>>;
  /** How many tasks there are. */
  made(): Promise<number>;
};

/** For each key: fifty uses begin together, a server is killed among them, and each is repeated until it is answered. */
const useKeys = async (system: Keyed, keys: number, failPoint: string, { between }: Chance): Promise<Figures> => {
  let server = await system.start();
  const logIn = await system.person(server.url);
  let otherwise = 0;
  let tries = 0;
  let unanswered = 0;
  let url = server.url;
  const use = async (key: string, token: string): Promise<string> => {
    for (;;) {
      tries += 1;
      const body = { title: `once, by ${key}` };
      const headers = { 'idempotency-key': `"${key}"`, 'x-request-id': randomUUID() };
      const answer = await asking(url, token)('POST', '/api/v1/tasks', { body, headers }).catch(() => undefined);
      if (answer && answer.status < 300) return JSON.stringify([answer.body?.id, answer.body?.version]);
      if (answer === undefined || isLost(answer.status)) unanswered += 1;
      else if (answer.status >= 500 && answer.status !== 503) otherwise += 1;
      await pause(RETRY_PAUSE);
    }
  };
  let different = 0;
  for (let n = 0; n < keys; n += 1) {
    // At a durable step, where the answer is swallowed, or at any moment.
    const atStep = n % 2 === 0;
    // Again for each: forty keys take longer than a token lasts.
    const token = await until('the writer to come in', () => logIn(url).catch(() => undefined));
    server.signal('SIGKILL');
    await server.exit;
    server = await system.start(atStep ? failPoint : undefined);
    url = server.url;
    const key = randomUUID();
    const uses = Array.from({ length: USES }, () => use(key, token));
    if (!atStep) {
      await pause(between(0, 60));
      server.signal('SIGKILL');
    }
    await server.exit;
    server = await system.start();
    url = server.url;
    different += new Set(await Promise.all(uses)).size - 1;
  }
  const made = await system.made();
  server.signal('SIGKILL');
  await server.exit;
  return {
    keys,
    'uses acknowledged': keys * USES,
    'times sent': tries,
    'not answered': unanswered,
    kills: keys,
    made,
    'made beyond one a key': made - keys,
    'answers that differ': different,
    'answered with another 5xx': otherwise,
  };
};

export const idempotency = scenario('idempotency', {
  promise: 'an Idempotency-Key that is used 50 times at once makes one thing, is answered alike, and outlives restarts',
  run: async ({ world, form, chance }) => {
    const installation = await world.install();
    const product = productOn(installation);
    return useKeys(
      {
        start: product.start,
        person: product.person,
        made: async () => (await product.stored()).length,
      },
      KEYS[form],
      'after-commit',
      chance,
    );
  },
  bounds: (form) => ({
    made: atLeast(KEYS[form]),
    'made beyond one a key': NONE,
    'answers that differ': NONE,
    'answered with another 5xx': NONE,
    kills: atLeast(KEYS[form]),
    // Uses were cut off, and came again.
    'times sent': atLeast(KEYS[form] * USES + 20),
    'uses acknowledged': atLeast(KEYS[form] * USES),
  }),
  controls: [
    control('a server that forgets idempotency keys', {
      shows: 'made beyond one a key',
      run: async ({ world, chance }: Stage) => {
        const { address, sql } = await world.emptyDatabase();
        const env = { DATABASE: JSON.stringify(address), HABIT: 'forgets-keys' };
        return useKeys(
          {
            start: (failPoint) =>
              answering(
                world.program('tests/guarantees/naive/server.ts', [], {
                  env: { ...env, ...(failPoint && { FAIL_POINT: failPoint }) },
                }),
              ),
            person: async () => async () => 'nobody asks',
            made: async () => (await sql('select from naive_task')).length,
          },
          2,
          '10',
          chance,
        );
      },
    }),
  ],
});
