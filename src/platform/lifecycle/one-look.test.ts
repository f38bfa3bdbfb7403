import { expect, test } from 'vitest';
import { oneLook } from './one-look.ts';

test('of a thousand who ask at once one looks for all', async () => {
  let looks = 0;
  const ask = oneLook(async () => {
    looks += 1;
    return looks;
  });
  expect(new Set(await Promise.all(Array.from({ length: 1_000 }, ask)))).toEqual(new Set([1]));
  expect(await ask(), 'and of those who come later another').toBe(2);
});
