/**
 * The whole truth about a mail; no I/O, clock or ids.
 *
 *   RequestMail ─► waiting ──SettleMail──► sent, or failed for good
 *        │          ▲   └──a failure that may pass──┐
 *        │          └───────────────────────────────┘
 *        └─ when its cause lies too long ago ─► suppressed
 */
import type { Provider } from '#contracts/notification.ts';
import type { Instant } from '#contracts/schema.ts';
import type { UserId } from '#contracts/user.ts';
import { type Decider, reject } from '#platform/decider.ts';
import type { MailEvent } from '../events.ts';
import { MOST_ATTEMPTS, retryAfter } from './attempts.ts';
import { type Notice, requested } from './notice.ts';

export type Mail = {
  readonly recipientId: UserId;
  readonly status: 'waiting' | 'sent' | 'failed' | 'suppressed';
  readonly attempts: number;
  /** While it waits: when to send it. */
  readonly dueAt: Instant;
};

/** How an attempt ended. */
export type AttemptOutcome =
  | { readonly kind: 'accepted'; readonly provider: Provider }
  /** For good: the next attempt would end alike. */
  | { readonly kind: 'refused'; readonly code: string }
  /** For now. Without a provider, where it did not even come to that. */
  | { readonly kind: 'failed'; readonly provider: Provider | null; readonly code: string }
  /** No attempt is made any more, for those before told nothing of how they ended. */
  | { readonly kind: 'abandoned'; readonly code: string };

export type MailCommand =
  /** `late`: its cause lies so long ago that it is only noted. */
  | { readonly type: 'RequestMail'; readonly notice: Notice; readonly late: boolean }
  /** `now` and `jitter` (0 to 1) are for the next attempt, if there is one. */
  | { readonly type: 'SettleMail'; readonly outcome: AttemptOutcome; readonly now: Instant; readonly jitter: number };

export type MailRejection = 'mail-not-found' | 'mail-settled';

/** Not the instant at which it was asked for: where the clock is set back afterwards, that lies ahead. */
const AT_ONCE: Instant = '1970-01-01T00:00:00.000Z';

export const mail: Decider<Mail, MailCommand, MailEvent, MailRejection, 'notification.requested'> = {
  starts: {
    'notification.requested': ({ data: { recipientId } }) => ({
      recipientId,
      status: 'waiting',
      attempts: 0,
      dueAt: AT_ONCE,
    }),
  },
  continues: {
    'notification.suppressed': (mail) => ({ ...mail, status: 'suppressed' }),
    'notification.attempted': (mail, { data }) => ({ ...mail, attempts: data.n, dueAt: data.retryAt }),
    'notification.sent': (mail, { data }) => ({ ...mail, status: 'sent', attempts: data.n }),
    'notification.failed': (mail, { data }) => ({ ...mail, status: 'failed', attempts: data.n }),
  },
  decide: (mail, command) => {
    if (command.type === 'RequestMail') {
      if (mail) return []; // its id says of what cause it is: it was asked for before
      const asked = requested('email', command.notice);
      return command.late ? [asked, { type: 'notification.suppressed', data: { reason: 'too_old' } }] : [asked];
    }
    if (!mail) return reject('mail-not-found');
    if (mail.status !== 'waiting') return reject('mail-settled');
    return [settled(mail, command)];
  },
};

/** When a mail wants to be sent. */
export const nextDue = ({ status, dueAt }: Mail): Instant | null => (status === 'waiting' ? dueAt : null);

const settled = (
  { attempts }: Mail,
  { outcome, now, jitter }: Extract<MailCommand, { type: 'SettleMail' }>,
): MailEvent => {
  const n = attempts + 1;
  switch (outcome.kind) {
    case 'accepted':
      return { type: 'notification.sent', data: { provider: outcome.provider, n } };
    case 'refused':
      return { type: 'notification.failed', data: { reason: 'permanent', code: outcome.code, n } };
    case 'abandoned':
      return { type: 'notification.failed', data: { reason: 'exhausted', code: outcome.code, n: attempts } };
    case 'failed': {
      const { provider, code } = outcome;
      if (n >= MOST_ATTEMPTS) return { type: 'notification.failed', data: { reason: 'exhausted', code, n } };
      return { type: 'notification.attempted', data: { provider, code, retryAt: retryAfter(n, now, jitter), n } };
    }
  }
};
