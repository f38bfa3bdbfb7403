import { expect, test } from 'vitest';
import { type Candidate, chooseCopy } from './balance.ts';

const copy = (is: Partial<Candidate> = {}): Candidate => ({ ready: true, breaker: 'closed', outstanding: 0, ...is });

test('the one with the least to do is asked; equals take turns', () => {
  expect(chooseCopy([copy({ outstanding: 3 }), copy({ outstanding: 1 }), copy({ outstanding: 2 })], 0)).toBe(1);
  const turns = [0, 1, 2, 3].map((turn) => chooseCopy([copy(), copy({ outstanding: 1 }), copy()], turn));
  expect(turns).toEqual([0, 2, 0, 2]);
});

test('who is not ready, or whose breaker is open, is asked only where nobody else is', () => {
  const busy = copy({ outstanding: 99 });
  expect(chooseCopy([copy({ ready: false }), copy({ breaker: 'trial' }), busy], 0)).toBe(2);
  expect(chooseCopy([copy({ breaker: 'trial' }), copy({ ready: false })], 0)).toBe(1);
  expect(chooseCopy([copy({ breaker: 'open' }), copy({ ready: false, breaker: 'trial' })], 0)).toBe(1);
});

test('nobody is asked where there is nobody to ask', () => {
  expect(chooseCopy([], 0)).toBeUndefined();
  expect(chooseCopy([copy({ breaker: 'open' })], 7)).toBeUndefined();
});
