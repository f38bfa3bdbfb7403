import { expect, test } from 'vitest';
import { atLeast, atMost, faultsIn, isInconclusive, NONE } from './scenario.ts';

const bounds = { lost: NONE, acknowledged: atLeast(50), 'ms away': atMost(1_000) };
const fine = { lost: 0, acknowledged: 50, 'ms away': 1_000 };

test('a run proves something, or nothing, or that a promise is broken', () => {
  expect(faultsIn(fine, bounds)).toEqual([]);
  expect(isInconclusive(fine, bounds)).toBe(false);
  expect(isInconclusive({ ...fine, acknowledged: 49 }, bounds), 'too little happened').toBe(true);
  expect(isInconclusive({ ...fine, acknowledged: 49, lost: 1 }, bounds), 'and something was lost').toBe(false);
  expect(isInconclusive({ ...fine, 'ms away': 1_001 }, bounds)).toBe(false);
  expect(isInconclusive({ lost: 0, 'ms away': 1 }, bounds), 'a figure is missing').toBe(false);
});
