import { describe, expect, test } from 'vitest';
import { backoff, counted, type Intake, TAKING } from './parking.ts';

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
  const kindAfter = (...minutes: readonly (readonly [now: number, events: number, parked: number])[]): string =>
    minutes.reduce<Intake>((intake, one) => (intake.kind === 'taking' ? counted(intake, ...one) : intake), TAKING).kind;
  test('when more than 20 keys and more than 5 % of the events of a minute fail', () => {
    expect(kindAfter([1, 20, 20])).toBe('taking');
    expect(kindAfter([1, 20, 20], [2, 1, 1])).toBe('stopped');
    expect(kindAfter([1, 1_000, 50])).toBe('taking');
    expect(kindAfter([1, 1_000, 51])).toBe('stopped');
  });
  test('not for what failed in other minutes', () => {
    expect(kindAfter([100_000, 20, 20], [159_999, 1, 1])).toBe('stopped');
    expect(kindAfter([100_000, 20, 20], [160_000, 20, 20])).toBe('taking');
    expect(kindAfter([100_000, 20, 20], [160_000, 20, 20], [160_001, 1, 1])).toBe('stopped');
  });
});
