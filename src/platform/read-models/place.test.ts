import { expect, test } from 'vitest';
import { pageOf } from './place.ts';

test.each([
  [[], [], undefined],
  [[1], [1], undefined],
  [[1, 2], [1, 2], undefined],
  [[1, 2, 3], [1, 2], [2]],
])('of %j, found for a page of two: %j, and on after %j', (found, rows, next) => {
  expect(pageOf(found, 2, (row) => [row])).toEqual({ rows, next });
});
