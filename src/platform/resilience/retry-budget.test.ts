import fc from 'fast-check';
import { expect, test } from 'vitest';
import { earned, NEW_BUDGET, type RetryBudget, spent } from './retry-budget.ts';

/** How often something is tried again when each of `count` requests fails, at its first attempt and ever after. */
const retriesOf = (count: number, tries: number): number => {
  let budget: RetryBudget = NEW_BUDGET;
  let retries = 0;
  for (let n = 0; n < count; n += 1) {
    budget = earned(budget);
    for (let attempt = 1; attempt < tries; attempt += 1) {
      const left = spent(budget);
      if (left === undefined) break;
      budget = left;
      retries += 1;
    }
  }
  return retries;
};

test('of whatever is asked, a fifth is tried again, and three more', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5_000 }), fc.integer({ min: 1, max: 5 }), (count, tries) => {
      expect(retriesOf(count, tries)).toBeLessThanOrEqual(count * 0.2 + 3);
    }),
  );
  expect(retriesOf(1_000, 3)).toBeGreaterThan(200);
});

test('a quiet time saves up ten, no more', () => {
  let budget: RetryBudget = NEW_BUDGET;
  for (let n = 0; n < 1_000; n += 1) budget = earned(budget);
  for (let n = 0; n < 10; n += 1) budget = spent(budget) ?? { left: Number.NaN };
  expect(spent(budget)).toBeUndefined();
});
