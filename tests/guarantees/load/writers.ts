/** Several clients of one person: each makes tasks, renames, completes and reopens them, and writes down what it was told. */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { type Answer, asking } from '../../e2e/support/client.ts';
import type { Figures } from '../kit/scenario.ts';
import type { Answered, Entry } from './ledger.ts';

/** How whoever writes comes in: a token, which is good for a while. */
export type LogIn = (url: string) => Promise<string>;
export type Failure = { readonly requestId: string; readonly what: string };
export type Writers = {
  readonly entries: readonly Entry[];
  /** Where the system answers now: it moves with each start. */
  moveTo(url: string): void;
  /** How many answers of which status were seen; 0 = none came. */
  readonly statuses: ReadonlyMap<number, number>;
  /** Requests that nobody answered, or that were answered with a 5xx. */
  readonly failures: readonly Failure[];
  /** ms after which the slowest answer came, or after which none did. */
  slowest(): number;
  /** Answers with 503 that did not say when to come again. */
  unguided(): number;
  /** Ends after the wishes under way, which are sent until it is known what became of those that have a key. */
  stop(): Promise<void>;
  /** Ends without knowing: something else went wrong. */
  abandon(): void;
};

const RETRY_PAUSE = 50;

export const startWriters = (logIn: LogIn, count: number, rest = 0): Writers => {
  const entries: Entry[] = [];
  const statuses = new Map<number, number>();
  const failures: Failure[] = [];
  let slowest = 0;
  let unguided = 0;
  let url = 'http://127.0.0.1:9'; // nobody answers there
  let token: Promise<string> | undefined;
  let stopping = false;
  let abandoned = false;
  let serial = 0;

  const send = async (entry: Entry, method: string, path: string, body?: object): Promise<Answer | undefined> => {
    entry.tries += 1;
    const headers = {
      'x-request-id': entry.requestId,
      ...(entry.keyed && { 'idempotency-key': `"${entry.requestId}"` }),
    };
    const ours = await tokenNow();
    if (ours === undefined) return undefined; // nothing was asked
    const began = performance.now();
    const ended = await asking(url, ours)(method, path, { ...(body && { body }), headers }).catch((error) => error);
    const answer = ended instanceof Error ? undefined : ended;
    const what = failureIn(ended);
    if (what !== undefined) failures.push({ requestId: entry.requestId, what: `${method} ${path}: ${what}` });
    if (answer?.status === 401) token = undefined; // too old; the next try comes in anew
    slowest = Math.max(slowest, performance.now() - began);
    if (answer?.status === 503 && !answer.headers.has('retry-after')) unguided += 1;
    statuses.set(answer?.status ?? 0, (statuses.get(answer?.status ?? 0) ?? 0) + 1);
    return answer;
  };
  const tokenNow = async (): Promise<string | undefined> => {
    try {
      token ??= logIn(url);
      return await token;
    } catch {
      token = undefined; // the next try comes in anew
      return undefined;
    }
  };

  /** Sends a wish, one with a key until it is acknowledged; answers the task's id when it is. */
  const wish = async (
    what: Pick<Entry, 'wish' | 'title'>,
    method: string,
    path: string,
    body?: object,
  ): Promise<string | undefined> => {
    const entry: Entry = { ...what, requestId: randomUUID(), keyed: serial % 2 === 0, answered: 'refused', tries: 0 };
    entries.push(entry);
    for (;;) {
      const answer = await send(entry, method, path, body);
      entry.answered = meaningOf(answer, entry.answered);
      if (entry.answered === 'acknowledged') {
        entry.taskId = String(answer?.body?.id);
        entry.version = Number(answer?.body?.version);
        return entry.taskId;
      }
      if (!entry.keyed || abandoned) return undefined;
      await pause(RETRY_PAUSE);
    }
  };

  const write = async (): Promise<void> => {
    while (!stopping) {
      serial += 1;
      const name = `task ${serial}`;
      const reopens = serial % 3 === 0;
      const id = await wish({ wish: 'create', title: name }, 'POST', '/api/v1/tasks', { title: name });
      if (id === undefined) {
        await pause(RETRY_PAUSE);
        continue;
      }
      const title = `${name}, renamed`;
      await wish({ wish: 'rename', title }, 'PATCH', `/api/v1/tasks/${id}`, { title });
      // What follows rests on what came before: where that is not known, it is left.
      let known = await wish({ wish: 'complete', title: '' }, 'POST', `/api/v1/tasks/${id}/complete`);
      if (reopens && known) known = await wish({ wish: 'reopen', title: '' }, 'POST', `/api/v1/tasks/${id}/reopen`);
      if (reopens && known) await wish({ wish: 'complete', title: '' }, 'POST', `/api/v1/tasks/${id}/complete`);
      if (rest > 0) await pause(rest * Math.random());
    }
  };
  const writers = Array.from({ length: count }, write);
  return {
    entries,
    statuses,
    failures,
    slowest: () => slowest,
    unguided: () => unguided,
    moveTo: (to) => {
      url = to;
    },
    stop: async () => {
      stopping = true;
      await Promise.all(writers);
    },
    abandon: () => {
      stopping = true;
      abandoned = true;
    },
  };
};

/** How a request failed, in words: that there was no answer, or what was wrong with it, by default a 5xx. */
export const failureIn = (
  ended: Answer | Error,
  isFailed = ({ status }: Answer): boolean => status >= 500,
): string | undefined => {
  if (ended instanceof Error) return `no answer: ${ended.cause ?? ended}`;
  const { status, body, ms } = ended;
  return isFailed(ended) ? `${status} ${JSON.stringify(body)} after ${Math.round(ms)} ms` : undefined;
};

/** Begins to count; answers what came of it since. */
export const tally = (writers: Writers): (() => Figures) => {
  const [began, before, failures] = [performance.now(), writers.entries.length, writers.failures.length];
  return () => {
    const written = writers.entries.slice(before).filter(({ answered }) => answered === 'acknowledged').length;
    const failed = writers.failures.length - failures;
    return {
      'acknowledged meanwhile': written,
      'a second': Math.round((1_000 * written) / (performance.now() - began)),
      'of 1,000 writes failed': Number(((1_000 * failed) / Math.max(1, written + failed)).toFixed(2)),
    };
  };
};

/** A gateway's word for an answer that broke off, or did not come: nobody knows what was done. */
export const isLost = (status: number): boolean => status === 502 || status === 504;

/** Once a try may have been done, no later refusal says that the command was not. */
const meaningOf = (answer: Answer | undefined, before: Answered): Answered => {
  if (answer === undefined || isLost(answer.status)) return 'unknown';
  if (answer.status < 300) return 'acknowledged';
  if (answer.status === 401) return before;
  if (answer.status === 503)
    return ['unavailable', 'busy'].includes(String(answer.body?.code)) && before !== 'unknown' ? 'refused' : 'unknown';
  if (answer.body?.code === 'idempotency-in-flight') return before;
  throw new Error(`a writer was answered ${answer.status}: ${JSON.stringify(answer.body)}`);
};
