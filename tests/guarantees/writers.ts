/** Several people's clients at once: each creates tasks, renames and completes them, and writes down what it was told. */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { type Answer, asking } from '../e2e/support/client.ts';
import type { Answered, Entry } from './ledger.ts';

export type Writers = {
  readonly entries: readonly Entry[];
  /** Where the system answers now: it moves with each start. */
  moveTo(url: string): void;
  /** How many answers of which status were seen; 0 = none came. */
  readonly statuses: ReadonlyMap<number, number>;
  /** Ends after the wishes under way, which are sent until it is known what became of those that have a key. */
  stop(): Promise<void>;
};

const RETRY_PAUSE = 50;

export const startWriters = (token: string, count: number): Writers => {
  const entries: Entry[] = [];
  const statuses = new Map<number, number>();
  let ask = asking('http://127.0.0.1:9', token); // nobody answers there
  let stopping = false;
  let serial = 0;

  const send = async (entry: Entry, method: string, path: string, body?: object): Promise<Answer | undefined> => {
    entry.tries += 1;
    const headers = {
      'x-request-id': entry.requestId,
      ...(entry.keyed && { 'idempotency-key': `"${entry.requestId}"` }),
    };
    const answer = await ask(method, path, { ...(body && { body }), headers }).catch(() => undefined);
    statuses.set(answer?.status ?? 0, (statuses.get(answer?.status ?? 0) ?? 0) + 1);
    return answer;
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
      if (!entry.keyed) return undefined;
      await pause(RETRY_PAUSE);
    }
  };

  const write = async (): Promise<void> => {
    while (!stopping) {
      serial += 1;
      const name = `task ${serial}`;
      const id = await wish({ wish: 'create', title: name }, 'POST', '/api/v1/tasks', { title: name });
      if (id === undefined) await pause(RETRY_PAUSE);
      else {
        const title = `${name}, renamed`;
        await wish({ wish: 'rename', title }, 'PATCH', `/api/v1/tasks/${id}`, { title });
        await wish({ wish: 'complete', title: '' }, 'POST', `/api/v1/tasks/${id}/complete`);
      }
    }
  };
  const writers = Array.from({ length: count }, write);
  return {
    entries,
    statuses,
    moveTo: (url) => {
      ask = asking(url, token);
    },
    stop: async () => {
      stopping = true;
      await Promise.all(writers);
    },
  };
};

/** Once a try may have been done, no later refusal says that the command was not. */
const meaningOf = (answer: Answer | undefined, before: Answered): Answered => {
  if (answer === undefined) return 'unknown';
  if (answer.status < 300) return 'acknowledged';
  if (answer.status === 503)
    return ['unavailable', 'busy'].includes(String(answer.body?.code)) && before !== 'unknown' ? 'refused' : 'unknown';
  if (answer.body?.code === 'idempotency-in-flight') return before;
  throw new Error(`a writer was answered ${answer.status}: ${JSON.stringify(answer.body)}`);
};
