/**
 * People who come by: somebody registers now and then, which leads to a welcome mail, and makes a task that is due in a
 * moment, which leads to a timer, a mail and an entry in the inbox.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { asking, PASSWORD } from '../../e2e/support/client.ts';
import { until } from '../../support/until.ts';
import { logInOf } from './product.ts';

export type People = {
  /** undefined: nobody comes for a while. */
  moveTo(url: string | undefined): void;
  /** Addresses of those whose registration was acknowledged. */
  readonly acknowledged: readonly string[];
  stop(): Promise<void>;
  /** How many of them cannot come in. */
  lostAt(url: string): Promise<number>;
};

export const startPeople = (every: number, dueIn = 500): People => {
  const acknowledged: string[] = [];
  let url: string | undefined;
  let stopping = false;

  const comeBy = async (at: string): Promise<void> => {
    const username = `p${randomUUID().slice(0, 8)}`;
    const email = `${username}@example.org`;
    const body = { email, username, password: PASSWORD };
    const { status } = await asking(at)('POST', '/api/v1/auth/register', { body });
    if (status !== 201) return;
    acknowledged.push(email);
    const ask = asking(at, await logInOf(email)(at));
    const due = { at: new Date(Date.now() + dueIn).toISOString() };
    await ask('POST', '/api/v1/tasks', { body: { title: 'Soon', due } });
  };
  const coming = (async () => {
    while (!stopping) {
      // Who gets no answer comes again as somebody else: what matters of them is what was stored.
      if (url !== undefined) await comeBy(url).catch(() => undefined);
      await pause(every * (0.5 + Math.random()));
    }
  })();
  return {
    acknowledged,
    moveTo: (to) => {
      url = to;
    },
    stop: async () => {
      stopping = true;
      await coming;
    },
    lostAt: async (at) => {
      let lost = 0;
      for (const email of acknowledged) {
        const body = { email, password: PASSWORD };
        const { status } = await until('an answer to who comes back', async () => {
          const answer = await asking(at)('POST', '/api/v1/auth/login', { body }).catch(() => undefined);
          return answer && answer.status < 500 ? answer : undefined;
        });
        lost += status === 200 ? 0 : 1;
      }
      return lost;
    },
  };
};
