/** An installation of the product as the storm sees it. */
import { asking, newPerson, PASSWORD } from '../../e2e/support/client.ts';
import { type Bounds, NONE } from '../kit/scenario.ts';
import type { Installation } from '../kit/world.ts';
import type { StoredEvent } from './ledger.ts';
import type { System } from './storm.ts';
import type { LogIn } from './writers.ts';

export const productOn = (installation: Installation): System => {
  let writer: unknown;
  return {
    start: (failPoint) => installation.start({ failPoint }),
    person: async (url) => {
      const { email, ask } = await newPerson(url);
      const me = await ask('GET', '/api/v1/me');
      if (me.status !== 200) throw new Error(`who they are: ${JSON.stringify(me.body)}`);
      writer = me.body?.id;
      return logInOf(email);
    },
    stored: () =>
      installation.sql<StoredEvent>(
        `select substr(stream, 6) as "taskId", version, metadata ->> 'requestId' as "requestId" from task_service.event
         where stream in (select stream from task_service.event
           where type = 'task.created' and data ->> 'ownerId' = $1)`,
        [writer],
      ),
  };
};

export const logInOf =
  (email: string): LogIn =>
  async (url) => {
    const { status, body } = await asking(url)('POST', '/api/v1/auth/login', { body: { email, password: PASSWORD } });
    if (status !== 200) throw new Error(`logging in: ${JSON.stringify(body)}`);
    return String(body?.accessToken);
  };

/** What the ledger of commands must find nothing of. */
export const COMMANDS_KEPT: Bounds = {
  lost: NONE,
  duplicate: NONE,
  gaps: NONE,
  'shown otherwise': NONE,
  'refused but there': NONE,
  'answered with another 5xx': NONE,
  'answered with 503 and no Retry-After': NONE,
};
