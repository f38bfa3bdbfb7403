import { describe, expect, test } from 'vitest';
import { backoff, claimed, isClaimable, maySettle, postponed } from './lease.ts';

const NOW = 1_000_000_000;
const LENGTH = 30_000;
const held = claimed(undefined, 'mine', NOW, LENGTH);

describe('work may be claimed', () => {
  test('when it is due and nobody holds it', () => {
    expect(isClaimable(NOW, undefined, NOW)).toBe(true);
    expect(isClaimable(NOW + 1, undefined, NOW)).toBe(false);
    expect(isClaimable(null, undefined, NOW)).toBe(false);
  });
  test('when the lease of whoever holds it is over, not before', () => {
    expect(isClaimable(NOW, held, NOW + LENGTH - 1)).toBe(false);
    expect(isClaimable(NOW, held, NOW + LENGTH)).toBe(true);
  });
  test('when the lease begins in the future: the clock was set back, however far', () => {
    expect(isClaimable(0, held, NOW - 1)).toBe(true);
    expect(isClaimable(0, held, NOW - 86_400_000)).toBe(true);
  });
});

describe('a claim', () => {
  test('counts those before it', () => {
    expect(held.claims).toBe(1);
    expect(claimed(held, 'theirs', NOW + LENGTH, LENGTH)).toEqual({
      token: 'theirs',
      since: NOW + LENGTH,
      until: NOW + 2 * LENGTH,
      claims: 2,
    });
  });
  test('may be settled until another was made, even when its lease is over', () => {
    expect(maySettle(held, 'mine')).toBe(true);
    expect(maySettle(claimed(held, 'theirs', NOW + LENGTH, LENGTH), 'mine')).toBe(false);
    expect(maySettle(undefined, 'mine')).toBe(false);
  });
  test('that is postponed keeps its count and its token, and is nobody’s until then', () => {
    const later = postponed(held, 'mine', NOW + 10, 100_000);
    expect(later).toEqual({ ...held, since: NOW + 10, until: NOW + 100_010 });
    expect(isClaimable(NOW, later, NOW + LENGTH)).toBe(false);
    expect(postponed(held, 'theirs', NOW + 10, 100_000)).toBe(held);
    expect(postponed(undefined, 'mine', NOW + 10, 100_000)).toBeUndefined();
  });
});

describe('the wait after a failure', () => {
  const longest = (claims: number) => backoff(claims, 1);
  test('doubles with each claim from one second on, up to ten minutes', () => {
    expect([1, 2, 3, 4, 9].map(longest)).toEqual([1_000, 2_000, 4_000, 8_000, 256_000]);
    expect([11, 50, 5_000].map(longest)).toEqual([600_000, 600_000, 600_000]);
  });
  test('is spread over its upper half', () => {
    expect([backoff(1, 0), backoff(1, 0.5), backoff(11, 0)]).toEqual([500, 750, 300_000]);
  });
});
