import { expect, test } from 'vitest';
import { createSeal } from './seal.ts';

const OLD = 'the old secret of 32 characters..';
const NEW = 'the new secret of 32 characters..';
const [old, both, fresh] = [OLD, `${NEW},${OLD}`, NEW].map((secrets) => createSeal(secrets, 'tests'));

test('of several secrets the first seals, and each opens what it sealed', () => {
  expect(both?.open(old?.seal('of before') ?? '')).toBe('of before');
  expect(fresh?.open(both?.seal('of today') ?? '')).toBe('of today');
  expect(old?.open(both?.seal('of today') ?? '')).toBeUndefined();
  expect(fresh?.open(old?.seal('of before') ?? '')).toBeUndefined();
});

test.each(['', 'AAAA', 'not sealed by anybody', '💥'])('%j opens with none of them', (text) => {
  expect(both?.open(text)).toBeUndefined();
});

test('what was sealed for one purpose opens for no other, with any of the secrets', () => {
  expect(createSeal(`${NEW},${OLD}`, 'another').open(old?.seal('for tests') ?? '')).toBeUndefined();
});
