/** Puts a system under load, kills it again and again, and then compares what it holds with what was answered. */
import { setTimeout as pause } from 'node:timers/promises';
import { asking } from '../../e2e/support/client.ts';
import type { Run, Server } from '../../e2e/support/product.ts';
import { until } from '../../support/until.ts';
import type { Figures } from '../kit/scenario.ts';
import { compare, type ShownTask, type StoredEvent } from './ledger.ts';
import { isLost, type LogIn, startWriters, type Writers } from './writers.ts';

export type System = {
  /** A process on the same data as those before it; with a fail point it kills itself there. */
  start(failPoint?: string): Promise<Server>;
  /** Makes whoever writes, and answers how they come in. */
  person(url: string): Promise<LogIn>;
  /** Every event of the store, read behind the system's back. */
  stored(): Promise<readonly StoredEvent[]>;
};

/** How a start ends: at a fail point, or by kill -9 after so many ms under load. */
export type End = { readonly failPoint: string } | { readonly after: number };

export type Storm = {
  /** The kills, one after another. */
  readonly ends?: readonly End[];
  /** Goes on after the last of them, under load. */
  readonly meanwhile?: (server: Server, writers: Writers) => Promise<Figures | undefined>;
  /** Once nobody writes any more. */
  readonly afterwards?: (server: Server, logIn: LogIn) => Promise<Figures>;
  readonly report?: (line: string) => void;
  readonly writers?: number;
  /** ms, at the most, between two wishes of a writer. */
  readonly rest?: number;
};

const WRITERS = 8;
/** ms: a fail point that is never come by is no kill. */
const PATIENCE = 60_000;

/** The figures of the ledger, and those that `meanwhile` and `afterwards` add. */
export const storm = async (system: System, options: Storm): Promise<Figures> => {
  const first = await system.start();
  const logIn = await system.person(first.url);
  await killed(first);
  const writers = startWriters(logIn, options.writers ?? WRITERS, options.rest);
  try {
    return await weather(system, options, writers, logIn);
  } finally {
    writers.abandon();
  }
};

const weather = async (system: System, options: Storm, writers: Writers, logIn: LogIn): Promise<Figures> => {
  const {
    ends = [],
    meanwhile = async () => undefined,
    afterwards = async () => ({}),
    report = () => undefined,
  } = options;
  for (const [n, end] of ends.entries()) {
    await startAndKill(system, end, writers);
    report(`killed ${n + 1} of ${ends.length} times, ${writers.entries.length} commands`);
  }
  const last = await system.start();
  writers.moveTo(last.url);
  const during = await meanwhile(last, writers);
  await writers.stop();
  const after = await afterwards(last, logIn);
  const token = await until('the writer to come in', () => logIn(last.url).catch(() => undefined));
  const shown = await shownTasks(last.url, token);
  const figures = compare(writers.entries, await system.stored(), shown);
  await killed(last);
  return {
    ...(ends.length > 0 && { kills: ends.length }),
    ...figures,
    ...statusFigures(writers.statuses),
    'answered with 503 and no Retry-After': writers.unguided(),
    ...during,
    ...after,
  };
};

const statusFigures = (statuses: ReadonlyMap<number, number>): Figures => ({
  'not answered': (statuses.get(0) ?? 0) + (statuses.get(502) ?? 0) + (statuses.get(504) ?? 0),
  'answered with 503': statuses.get(503) ?? 0,
  'answered with another 5xx': statuses
    .entries()
    .reduce((sum, [status, times]) => sum + (status >= 500 && status !== 503 && !isLost(status) ? times : 0), 0),
});

const startAndKill = async (system: System, end: End, writers: Writers): Promise<void> => {
  const server = await system.start('failPoint' in end ? end.failPoint : undefined);
  writers.moveTo(server.url);
  if ('after' in end) {
    await acknowledgedSince(writers);
    await pause(end.after); // at a random moment: what is awaited is none
    server.signal('SIGKILL');
  }
  await until(`the end ${JSON.stringify(end)}`, () => !server.running(), PATIENCE);
  if ((await server.exit).signal !== 'SIGKILL') throw new Error(`it ended by itself: ${server.output()}`);
};

/** Something was acknowledged from now on: it is really under load. Answers after how many ms. */
export const acknowledgedSince = async ({ entries }: Writers, bound = 60_000): Promise<number> => {
  const from = entries.length;
  const began = performance.now();
  while (!entries.slice(from).some(({ answered }) => answered === 'acknowledged')) {
    if (performance.now() - began > bound) throw new Error(`nothing was acknowledged for ${bound} ms`);
    await pause(5);
  }
  return performance.now() - began;
};

const killed = async (server: Run): Promise<void> => {
  server.signal('SIGKILL');
  await server.exit;
};

const shownTasks = async (url: string, token: string): Promise<readonly ShownTask[]> => {
  const ask = asking(url, token);
  // A read may be refused on a machine with too much to do; it is not what was asked here.
  const read = async (path: string): Promise<unknown> => {
    const { body } = await until(`an answer of ${path}`, async () => {
      const answer = await ask('GET', path).catch(() => undefined);
      if (answer && answer.status !== 200 && answer.status < 500) throw new Error(`${path}: ${answer.status}`);
      return answer?.status === 200 ? answer : undefined;
    });
    return body;
  };
  const shown: ShownTask[] = [];
  for (let cursor: unknown = ''; cursor !== null; ) {
    const query = `limit=200&sort=createdAt${cursor ? `&cursor=${cursor}` : ''}`;
    const { items, nextCursor } = (await read(`/api/v1/tasks?${query}`)) as {
      items: Omit<ShownTask, 'history'>[];
      nextCursor: string | null;
    };
    const histories = await Promise.all(items.map(({ id }) => read(`/api/v1/tasks/${id}/history?limit=200`)));
    items.forEach(({ id, version, title, status }, n) => {
      const { items: history } = histories[n] as { items: { version: number }[] };
      shown.push({ id, version, title, status, history: history.map((entry) => entry.version) });
    });
    cursor = nextCursor;
  }
  return shown;
};
