import { describe, expect, test } from 'vitest';
import { createPasswordHasher } from './password-hasher.ts';

const OLD = 'the old pepper of 32 characters..';
const NEW = 'the new pepper of 32 characters..';
const COST = 4;
const PASSWORD = 'correct horse battery';

describe('a pepper that takes another’s place', () => {
  const old = createPasswordHasher(OLD, COST);
  const both = createPasswordHasher(`${NEW},${OLD}`, COST);
  const fresh = createPasswordHasher(NEW, COST);

  test('passwords of before are right, and to be hashed anew', async () => {
    const stored = await old.hash(PASSWORD);
    expect(await both.verify(PASSWORD, stored)).toBe('outdated');
    expect(await both.verify('another password', stored)).toBe('wrong');
  });
  test('what is hashed anew needs the new one alone', async () => {
    const stored = await both.hash(PASSWORD);
    expect(await both.verify(PASSWORD, stored)).toBe('right');
    expect(await fresh.verify(PASSWORD, stored)).toBe('right');
    expect(await old.verify(PASSWORD, stored)).toBe('wrong');
  });
  test('put behind the old one it is known, and not used yet', async () => {
    const prepared = createPasswordHasher(`${OLD},${NEW}`, COST);
    const stored = await prepared.hash(PASSWORD);
    expect(await old.verify(PASSWORD, stored)).toBe('right');
    expect(await prepared.verify(PASSWORD, await both.hash(PASSWORD))).toBe('outdated');
  });
  test('a password under one that was taken out is wrong, as one that nobody has', async () => {
    expect(await fresh.verify(PASSWORD, await old.hash(PASSWORD))).toBe('wrong');
    expect(await fresh.verify(PASSWORD, undefined)).toBe('wrong');
  });
});
