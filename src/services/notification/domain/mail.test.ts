import { describe, expect, test } from 'vitest';
import type { UserId, Username } from '#contracts/user.ts';
import { scenario, stateAfter } from '#platform/testing/scenario.ts';
import type { MailEvent } from '../events.ts';
import { MOST_ATTEMPTS, retryAfter } from './attempts.ts';
import { type AttemptOutcome, type MailCommand, mail, nextDue } from './mail.ts';
import type { Notice } from './notice.ts';

const { given } = scenario(mail);
const ada = '01939d5e-0000-7000-8000-000000000001' as UserId;
const notice: Notice = { recipientId: ada, about: null, rule: 'welcome', params: { username: 'ada' as Username } };
const NOW = '2026-01-01T12:00:00.000Z';

const request = (late = false): MailCommand => ({ type: 'RequestMail', notice, late });
const settle = (outcome: AttemptOutcome): MailCommand => ({ type: 'SettleMail', outcome, now: NOW, jitter: 1 });
const ACCEPTED = settle({ kind: 'accepted', provider: 'smtp' });
const FAILED = settle({ kind: 'failed', provider: 'smtp', code: 'smtp-451' });

const requested: MailEvent = {
  type: 'notification.requested',
  data: { ...notice, channel: 'email', class: 'transactional' },
};
const suppressed: MailEvent = { type: 'notification.suppressed', data: { reason: 'too_old' } };
const sent = (n: number): MailEvent => ({ type: 'notification.sent', data: { provider: 'smtp', n } });
const failed: MailEvent = { type: 'notification.failed', data: { reason: 'permanent', code: 'smtp-550', n: 1 } };
const attempted = (n: number, retryAt: string): MailEvent => ({
  type: 'notification.attempted',
  data: { provider: 'smtp', code: 'smtp-451', retryAt, n },
});
const attempts = (count: number) =>
  Array.from({ length: count }, (_, before) => attempted(before + 1, '2026-01-01T11:00:00.000Z'));

describe('a mail', () => {
  test('is requested', () => given().when(request()).thenEmits(requested));
  test('is requested once: its id says of what cause it is', () => given(requested).when(request()).thenNothing());
  test('whose cause lies too long ago is noted, and not sent', () =>
    given().when(request(true)).thenEmits(requested, suppressed));
  test('that nobody requested is settled by nobody', () => given().when(ACCEPTED).thenRejected('mail-not-found'));
});

describe('an attempt', () => {
  test('that is accepted ends it', () => given(requested).when(ACCEPTED).thenEmits(sent(1)));
  test('counts those before it', () =>
    given(requested, ...attempts(3))
      .when(ACCEPTED)
      .thenEmits(sent(4)));
  test('that is refused for good ends it', () =>
    given(requested)
      .when(settle({ kind: 'refused', code: 'smtp-550' }))
      .thenEmits(failed));
  test('that fails for now is followed by another', () =>
    given(requested).when(FAILED).thenEmits(attempted(1, '2026-01-01T12:00:05.000Z')));
  test('that fails is followed by none after the last', () => {
    const exhausted: MailEvent = {
      type: 'notification.failed',
      data: { reason: 'exhausted', code: 'smtp-451', n: MOST_ATTEMPTS },
    };
    given(requested, ...attempts(MOST_ATTEMPTS - 2))
      .when(FAILED)
      .thenEmits(attempted(MOST_ATTEMPTS - 1, '2026-01-01T13:00:00.000Z'));
    given(requested, ...attempts(MOST_ATTEMPTS - 1))
      .when(FAILED)
      .thenEmits(exhausted);
  });
  test('is made no more once those before it told nothing of how they ended', () =>
    given(requested, ...attempts(2))
      .when(settle({ kind: 'abandoned', code: 'worker-lost' }))
      .thenEmits({ type: 'notification.failed', data: { reason: 'exhausted', code: 'worker-lost', n: 2 } }));
  test.each([sent(1), failed, suppressed])('settles nothing after $type', (last) => {
    for (const command of [ACCEPTED, FAILED]) given(requested, last).when(command).thenRejected('mail-settled');
  });
});

describe('it is due', () => {
  const due = (...events: readonly MailEvent[]) => {
    const state = stateAfter(mail, events);
    return state && nextDue(state);
  };
  test('at once when it is requested, whatever the clock says then', () =>
    expect(Date.parse(due(requested) ?? '')).toBe(0));
  test('later, after an attempt that failed', () =>
    expect(due(requested, attempted(1, NOW), attempted(2, '2026-01-01T12:34:00.000Z'))).toBe(
      '2026-01-01T12:34:00.000Z',
    ));
  test.each([sent(1), failed, suppressed])('never again, after $type', (last) =>
    expect(due(requested, last)).toBeNull());
});

describe('the wait after the nth attempt', () => {
  const wait = (n: number, jitter = 1) => Date.parse(retryAfter(n, NOW, jitter)) - Date.parse(NOW);
  test('is five seconds, and twice as long each time, up to an hour', () => {
    expect([1, 2, 3, 10].map((n) => wait(n))).toEqual([5_000, 10_000, 20_000, 2_560_000]);
    expect([11, 12, 500].map((n) => wait(n))).toEqual([3_600_000, 3_600_000, 3_600_000]);
  });
  test('is spread over its upper half', () => {
    expect([wait(1, 0), wait(1, 0.5), wait(11, 0)]).toEqual([2_500, 3_750, 1_800_000]);
  });
  test('is five to ten hours in all', () => {
    const all = (jitter: number) =>
      Array.from({ length: MOST_ATTEMPTS - 1 }, (_, n) => wait(n + 1, jitter)).reduce((sum, one) => sum + one) / 3.6e6;
    expect([all(0), all(1)]).toEqual([expect.closeTo(5.2, 1), expect.closeTo(10.4, 1)]);
  });
});
