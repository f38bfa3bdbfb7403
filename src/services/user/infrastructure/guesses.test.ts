import { expect, test } from 'vitest';
import { createMemoryLimiter } from '#platform/cache/limits.ts';
import { createGuesses, delayOf } from './guesses.ts';

const watched = () => {
  const waits: number[] = [];
  const guesses = createGuesses(
    createMemoryLimiter(() => 1_000_000),
    async (ms) => waits.push(ms),
  );
  return { waits, guesses };
};

test('five tries are free, then each waits twice as long, and three seconds at the most', async () => {
  const { waits, guesses } = watched();
  for (let n = 0; n < 30; n += 1) await guesses.slowDown('ada@example.org');
  expect(waits.slice(0, 6)).toEqual([250, 500, 1_000, 2_000, 3_000, 3_000]);
  expect(new Set(waits.slice(6))).toEqual(new Set([3_000]));
  expect([1, 5, 6, 1_000].map(delayOf)).toEqual([0, 0, 250, 3_000]);
});

test('each account has its own, and whoever comes in begins anew', async () => {
  const { waits, guesses } = watched();
  for (let n = 0; n < 8; n += 1) await guesses.slowDown('ada@example.org');
  await guesses.slowDown('bob@example.org');
  expect(waits).toEqual([250, 500, 1_000]);
  await guesses.forget('ada@example.org');
  for (let n = 0; n < 5; n += 1) await guesses.slowDown('ada@example.org');
  expect(waits).toHaveLength(3);
});

test('where limits are switched off nobody waits', async () => {
  const waits: number[] = [];
  const guesses = createGuesses(undefined, async (ms) => waits.push(ms));
  for (let n = 0; n < 30; n += 1) await guesses.slowDown('ada@example.org');
  await guesses.forget('ada@example.org');
  expect(waits).toEqual([]);
});
