import { expect, test } from 'vitest';
import { type AttemptEnd, endingOf, leavesOpen, nextOf } from './retry.ts';

const GET = { method: 'GET', keyed: false, waits: false, ms: 20 };
const POST = { method: 'POST', keyed: false, waits: false, ms: 20 };
const KEYED = { ...POST, keyed: true };
const answered = (status: number): AttemptEnd => ({ kind: 'answered', status });

test.each([GET, POST, KEYED])('$method (key: $keyed) that was never sent goes to another copy', (asked) => {
  expect(nextOf(asked, { kind: 'refused' })).toBe('elsewhere');
});

test('a request that may have been carried out is retried only where doing it twice is harmless', () => {
  for (const end of [{ kind: 'lost' } as const, answered(502), answered(503)]) {
    expect(nextOf(GET, end)).toBe('again');
    expect(nextOf(KEYED, end)).toBe('again');
    expect(nextOf(POST, end)).toBe('done');
    expect(nextOf({ ...POST, method: 'DELETE' }, end), 'the second answer would be another one').toBe('done');
  }
});

test('a request whose time is over, or whose client has gone, is not retried', () => {
  for (const kind of ['late', 'cancelled'] as const) expect(nextOf(GET, { kind })).toBe('done');
});

test('a request that was answered is not retried, whatever the status', () => {
  for (const status of [200, 304, 404, 409, 429, 500, 504]) expect(nextOf(GET, answered(status))).toBe('done');
  expect(nextOf({ ...GET, waits: true }, answered(503)), 'it has waited already').toBe('done');
  expect(nextOf({ ...GET, ms: 2_200 }, answered(503)), 'three times that is more than is promised').toBe('done');
  expect(nextOf({ ...GET, ms: 2_200 }, { kind: 'lost' })).toBe('again');
});

test('a copy fails by not answering, not by what it answers', () => {
  for (const kind of ['refused', 'lost', 'late'] as const) expect(endingOf({ kind }, 10_000)).toBe('failure');
  for (const kind of ['refused', 'lost'] as const) expect(endingOf({ kind }, 5)).toBe('failure');
  for (const status of [200, 404, 500]) expect(endingOf(answered(status), 10_000)).toBe('success');
  for (const status of [502, 504]) expect(endingOf(answered(status), 10_000)).toBe('failure');
  expect([endingOf(answered(503), 10_000), endingOf({ kind: 'cancelled' }, 10_000)]).toEqual(['nothing', 'nothing']);
  expect(endingOf({ kind: 'late' }, 4_999), 'what was given less than a healthy copy may take').toBe('nothing');
});

test('a write whose answer was lost, or that its service knows no end of, may have been done; a read changed nothing', () => {
  const open = [leavesOpen(KEYED, { kind: 'lost' }), leavesOpen(KEYED, answered(503), 'outcome-unknown')];
  expect([...open, leavesOpen(KEYED, answered(502))]).toEqual([true, true, true]);
  expect(leavesOpen(KEYED, answered(503), 'unavailable')).toBe(false);
  expect(leavesOpen(KEYED, { kind: 'refused' })).toBe(false);
  expect(leavesOpen(GET, { kind: 'lost' })).toBe(false);
});
