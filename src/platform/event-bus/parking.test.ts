import { describe, expect, test } from 'vitest';
import { backoff, CLOSED, counted, isOpen } from './parking.ts';

const failed = { cause: 'failed', error: 'x' } as const;

describe('a parked key is tried again', () => {
  test('after a wait that doubles up to ten minutes, half of it at random, sixteen times', () => {
    const longest = backoff(() => 1);
    const shortest = backoff(() => 0);
    const waits = Array.from({ length: 16 }, (_, n) => longest(failed, n + 1));
    expect(waits.slice(0, 4)).toEqual([1_000, 2_000, 4_000, 8_000]);
    expect(waits[12]).toBe(600_000);
    expect(waits.at(-1), 'then it waits for a hand').toBeNull();
    expect(shortest(failed, 3)).toBe(2_000);
  });
  test.each(['unknown', 'unreadable'] as const)('not by itself where it is %s', (cause) => {
    expect(backoff(Math.random)({ cause, error: 'x' }, 1)).toBeNull();
  });
});

describe('a consumer is taken for broken', () => {
  test('when more than 20 keys and more than 5 % of the events of a minute fail', () => {
    expect(isOpen(counted(CLOSED, 1, 20, 20), 2)).toBe(false);
    expect(isOpen(counted(CLOSED, 1, 21, 21), 2)).toBe(true);
    expect(isOpen(counted(CLOSED, 1, 1_000, 50), 2)).toBe(false);
    expect(isOpen(counted(CLOSED, 1, 1_000, 51), 2)).toBe(true);
  });
  test('not for what failed in other minutes', () => {
    const first = counted(CLOSED, 100_000, 20, 20);
    const second = counted(first, 170_000, 20, 20);
    expect(isOpen(second, 170_000)).toBe(false);
    expect(isOpen(counted(second, 170_001, 1, 1), 170_002)).toBe(true);
  });
});
