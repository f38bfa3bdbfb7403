/**
 * A task service that fails and is well again every few seconds, behind a gateway that would help by asking again: what it
 * sees more of for that stays bounded, and nobody is told anything wrong. The service is ours; whoever makes it flap stands
 * between the two and counts what comes.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request as requesting, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { type Answer, type Ask, asking, newPerson } from '../../e2e/support/client.ts';
import { freePort } from '../../support/free-port.ts';
import { until } from '../../support/until.ts';
import { atLeast, atMost, control, type Figures, NONE, type Stage, scenario } from '../kit/scenario.ts';
import { distributed } from '../kit/world.ts';
import { ONE_OF_EACH, staffed } from '../load/company.ts';

/** How it fails: it says that nothing was done; it breaks the connection off once all was done, or before; now this, now that. */
const FAILURES = ['refuses', 'swallows', 'drops', 'mixes'] as const;
type Mood = 'well' | (typeof FAILURES)[number];
/** So that no breaker opens, and what was swallowed is now and then refused when it is asked again. */
const MIX = ['refuses', 'refuses', 'swallows', 'well', 'well', 'well'] as const;

const ROUNDS = { short: 4, full: 20 };
const FAILING = 2_000;
/** ms between requests, whatever becomes of them. */
const EVERY = 15;
/** Of each failure; so many that the few retries that are allowed at once are few of them. */
const ASKED_AT_LEAST = 50;
const FOUND_AGAIN = 10_000;
const PER_THOUSAND = 1_500;
const TASKS = '/api/v1/tasks';

const UNAVAILABLE = JSON.stringify({ type: '/problems/unavailable', title: 'Away', status: 503, code: 'unavailable' });

/** In front of the service at that port. What is not about tasks, such as whether it is ready, goes through at all times. */
const openFlapper = async (port: number, { between }: Stage['chance']) => {
  /** How often each request came, by its id. */
  const seen = new Map<string, number>();
  let [mood, failures]: [Mood, number] = ['well', 0];
  const server = createServer((request, response) => {
    const isAboutTasks = request.url?.startsWith(TASKS);
    const mixed = mood === 'mixes' ? MIX[between(0, MIX.length - 1)] : mood;
    const now = isAboutTasks ? mixed : 'well';
    if (isAboutTasks) {
      const id = String(request.headers['x-request-id']);
      seen.set(id, (seen.get(id) ?? 0) + 1);
    }
    if (now !== 'well') failures += 1;
    if (now === 'drops') request.socket.destroy();
    else if (now === 'refuses')
      response.writeHead(503, { 'content-type': 'application/problem+json', 'retry-after': '1' }).end(UNAVAILABLE);
    else passOn(port, request, response, now === 'swallows');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    failures: () => failures,
    turn: (to: Mood) => {
      mood = to;
    },
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
};

const passOn = (port: number, request: IncomingMessage, response: ServerResponse, swallows: boolean): void => {
  const { method, url: path, headers } = request;
  const { connection: _ours, ...onward } = headers;
  const asked = requesting({ host: '127.0.0.1', port, method, path, headers: onward, agent: false }, (answer) => {
    if (swallows) return void answer.resume().once('end', () => request.socket.destroy());
    const { connection: _theirs, 'keep-alive': _kept, ...told } = answer.headers;
    answer.pipe(response.writeHead(answer.statusCode ?? 500, told));
  });
  asked.on('error', () => request.socket.destroy());
  request.pipe(asked);
};

type Question = {
  readonly id: string;
  readonly kind: 'read' | 'keyed' | 'unkeyed';
  /** In which failure it was asked; 0 = while all was well. */
  readonly during: number;
  answered: 'well' | 'undone' | 'unknown';
};
/** Codes that say: nothing was done. */
const UNDONE = new Set<unknown>(['unavailable', 'busy', 'service-away']);
const meaningOf = (answer: Answer | undefined): Question['answered'] => {
  if (answer !== undefined && answer.status < 300) return 'well';
  return UNDONE.has(answer?.body?.code) ? 'undone' : 'unknown';
};

/** Asks at a steady rate, whether answers come or not: reads, writes with a key, and writes without. */
const startClients = (ask: Ask, failure: () => number) => {
  const questions: Question[] = [];
  const open: Promise<void>[] = [];
  let isOver = false;
  const put = async (question: Question): Promise<void> => {
    const { id, kind } = question;
    const headers = { 'x-request-id': id, ...(kind === 'keyed' && { 'idempotency-key': `"${id}"` }) };
    const asked =
      kind === 'read'
        ? ask('GET', `${TASKS}?limit=1`, { headers })
        : ask('POST', TASKS, { headers, body: { title: id } });
    question.answered = meaningOf(await asked.catch(() => undefined));
  };
  const asked = (async () => {
    for (let n = 0; !isOver; n += 1) {
      const kind = (['read', 'keyed', 'unkeyed'] as const)[n % 3] ?? 'read';
      const question: Question = { id: randomUUID(), kind, during: failure(), answered: 'unknown' };
      questions.push(question);
      open.push(put(question));
      await pause(EVERY);
    }
  })();
  return {
    stop: async (): Promise<readonly Question[]> => {
      isOver = true;
      await asked;
      await Promise.all(open);
      return questions;
    },
  };
};

/** A client, or a gateway, that helps: what failed is asked twice more. */
const insisting =
  (ask: Ask): Ask =>
  async (...request) => {
    for (let left = 2; ; left -= 1) {
      const answer = await ask(...request).catch(() => undefined);
      if (answer !== undefined && answer.status < 500) return answer;
      if (left === 0) return answer ?? Promise.reject(new Error('no answer'));
    }
  };

/** `through` makes of the gateway's and the flapping service's addresses how clients ask. */
const flap = async (
  { world, form, chance, report }: Stage,
  through: (gateway: string, service: string, token: string) => Ask,
): Promise<Figures> => {
  const port = await freePort();
  const flapper = await openFlapper(port, chance);
  try {
    const { installation, company } = staffed(await distributed(world).install(), {
      ...ONE_OF_EACH,
      task: { part: 'task', env: { TASK_PORT: String(port) } },
      gateway: { part: 'gateway', env: { TASK_SERVICE_URL: flapper.url } },
    });
    const { url } = await installation.start();
    const { token } = await newPerson(url);
    let [failure, found] = [0, 0];
    const clients = startClients(through(url, flapper.url, token), () => failure);
    for (let round = 1; round <= ROUNDS[form]; round += 1) {
      await pause(chance.between(500, 1_500));
      const mood = FAILURES[(round - 1) % FAILURES.length] ?? 'drops';
      failure = round;
      flapper.turn(mood);
      await pause(FAILING);
      failure = 0;
      flapper.turn('well');
      const began = performance.now();
      // Where its breaker is open still, the next failure would be spared what there is to see.
      await until('the gateway to ask it again', () => company().reaches('task'), 30_000);
      found = Math.max(found, performance.now() - began);
      report(`failed ${round} of ${ROUNDS[form]} times (it ${mood})`);
    }
    await pause(1_000);
    const questions = await clients.stop();
    const done = await installation.sql<{ id: string; times: number }>(
      `select metadata ->> 'requestId' as id, count(*)::integer as times from task_service.event group by 1`,
    );
    return {
      'times that it failed': ROUNDS[form],
      ...figuresOf(questions, flapper.seen, new Map(done.map(({ id, times }) => [id, times]))),
      'requests that it failed': flapper.failures(),
      'ms until it was asked again': Math.round(found),
    };
  } finally {
    await flapper.close();
  }
};

type Counts = ReadonlyMap<string, number>;
const figuresOf = (questions: readonly Question[], seen: Counts, done: Counts): Figures => {
  const count = (holds: (question: Question) => boolean) => questions.filter(holds).length;
  const times = ({ id }: Question) => seen.get(id) ?? 0;
  const doneBy = ({ id }: Question) => done.get(id) ?? 0;
  const isWrite = ({ kind }: Question) => kind !== 'read';
  const perThousand = (some: readonly Question[]) =>
    Math.round((1_000 * some.reduce((sum, one) => sum + times(one), 0)) / some.length);
  const { false: meanwhile = [], true: well = [] } = Object.groupBy(questions, ({ during }) => String(during === 0));
  const failures = [...Map.groupBy(meanwhile, ({ during }) => during).values()];
  return {
    asked: questions.length,
    'asked during a failure, at least': Math.min(...failures.map((asked) => asked.length)),
    'seen per 1,000 asked': perThousand(questions),
    'seen per 1,000 asked, in the worst failure': Math.max(...failures.map(perThousand)),
    'asked again': questions.reduce((sum, one) => sum + Math.max(0, times(one) - 1), 0),
    'answered well while it was well': well.filter(({ answered }) => answered === 'well').length,
    'answered well while it failed': meanwhile.filter(({ answered }) => answered === 'well').length,
    'writes acknowledged': count((one) => isWrite(one) && one.answered === 'well'),
    'of them lost': count((one) => isWrite(one) && one.answered === 'well' && doneBy(one) === 0),
    'done twice': count((one) => doneBy(one) > 1),
    'said to be undone, and done': count((one) => one.answered === 'undone' && doneBy(one) > 0),
    'asked again without a key': count((one) => one.kind === 'unkeyed' && times(one) > 1),
  };
};

export const flapping = scenario('flapping', {
  promise: 'a service that flaps sees at most 1.5 times what its clients ask, and nobody is told anything wrong',
  topologies: ['distributed'],
  run: (stage) => flap(stage, (gateway, _service, token) => asking(gateway, token)),
  bounds: (form) => ({
    'times that it failed': atLeast(ROUNDS[form]),
    'asked during a failure, at least': atLeast(ASKED_AT_LEAST),
    'seen per 1,000 asked': atMost(PER_THOUSAND),
    'seen per 1,000 asked, in the worst failure': atMost(PER_THOUSAND),
    'of them lost': NONE,
    'done twice': NONE,
    'said to be undone, and done': NONE,
    'asked again without a key': NONE,
    'ms until it was asked again': atMost(FOUND_AGAIN),
    // It was really asked and really failed, and the gateway really tried.
    'requests that it failed': atLeast(50 * (ROUNDS[form] / FAILURES.length)),
    'asked again': atLeast(5 * ROUNDS[form]),
    'answered well while it was well': atLeast(50 * ROUNDS[form]),
    'writes acknowledged': atLeast(20 * ROUNDS[form]),
  }),
  controls: [
    control('a client that asks twice more for whatever fails', {
      shows: 'seen per 1,000 asked',
      run: (stage) => flap(stage, (_gateway, service, token) => insisting(asking(service, token))),
    }),
  ],
});
