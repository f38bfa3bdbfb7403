import { describe, expect, test } from 'vitest';
import { admits, type Breaker, begun, CLOSED, type Ending, ended } from './breaker.ts';

const having = (breaker: Breaker, endings: readonly Ending[], now = 0): Breaker =>
  endings.reduce((then, ending) => ended(begun(then, now), ending, now), breaker);
const times = (count: number, ...endings: readonly Ending[]): readonly Ending[] =>
  Array.from({ length: count }, () => endings).flat();
const OPEN = having(CLOSED, times(5, 'failure'));

describe('closed', () => {
  test('it opens after five failures in a row', () => {
    expect(having(CLOSED, times(4, 'failure')).state).toBe('closed');
    expect(OPEN).toEqual({ state: 'open', until: 1_000, wait: 1_000 });
  });
  test('it opens when half of the last twenty failed', () => {
    expect(having(CLOSED, times(9, 'failure', 'success')).state).toBe('closed');
    expect(having(CLOSED, times(10, 'success', 'failure')).state).toBe('open');
    expect(having(CLOSED, times(20, 'failure', 'success', 'success')).state).toBe('closed');
  });
  test('what was broken off counts for nothing', () => {
    expect(having(CLOSED, [...times(4, 'failure'), ...times(20, 'nothing')]).state).toBe('closed');
    expect(having(CLOSED, [...times(4, 'failure'), 'nothing', 'failure']).state).toBe('open');
  });
});

describe('open', () => {
  test('it admits nobody until its time is over, and then one at a time', () => {
    expect([admits(OPEN, 999), admits(OPEN, 1_000)]).toEqual([false, true]);
    const trial = begun(OPEN, 1_000);
    expect([trial.state, admits(trial, 1_000), admits(trial, 99_000)]).toEqual(['half-open', false, false]);
  });
  test('those that began before it opened change nothing', () => {
    expect(ended(OPEN, 'success', 1)).toBe(OPEN);
    expect(ended(OPEN, 'failure', 1)).toBe(OPEN);
  });
});

describe('half-open', () => {
  const trial = begun(OPEN, 1_000);
  test('a success closes it, and forgets what was', () => {
    expect(having(ended(trial, 'success', 1_000), times(4, 'failure')).state).toBe('closed');
  });
  test('a failure opens it for twice as long, five seconds at the longest', () => {
    let breaker: Breaker = OPEN;
    const waits = Array.from({ length: 5 }, () => {
      const now = breaker.state === 'open' ? breaker.until : Number.NaN;
      breaker = ended(begun(breaker, now), 'failure', now);
      return breaker.wait;
    });
    expect(waits).toEqual([2_000, 4_000, 5_000, 5_000, 5_000]);
  });
  test('a trial that was broken off makes way for the next', () => {
    const then = ended(trial, 'nothing', 1_200);
    expect([then.state, admits(then, 1_200)]).toEqual(['open', true]);
  });
});

test('who fails again soon after they were back waits longer, later as at first', () => {
  const back = ended(begun(OPEN, 1_000), 'success', 1_000);
  expect(having(back, times(5, 'failure'), 2_000).wait).toBe(2_000);
  expect(having(back, times(5, 'failure'), 60_000).wait).toBe(1_000);
});
