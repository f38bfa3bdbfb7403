/** How it is with the mails: whether any had to be put off, and for what. */
import type { HealthCheck } from '#platform/http/health.ts';
import type { Database } from '#platform/sql/database.ts';
import { MOST_COUNTED, mailsPutOff } from '../read-models/mail-list.ts';

export const mailHealth =
  (database: Database): HealthCheck =>
  async () => {
    const { count, code } = await mailsPutOff(database);
    if (count === 0 || code === null) return { status: 'ok' };
    if (count === 1) return { status: 'degraded', detail: `1 mail waits for another attempt; it failed with ${code}` };
    const many = count < MOST_COUNTED ? count : `at least ${count}`;
    return {
      status: 'degraded',
      detail: `${many} mails wait for another attempt; most often they failed with ${code}`,
    };
  };
