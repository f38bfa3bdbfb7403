import { expect, test } from 'vitest';
import { findOnPath } from './requires.ts';

test('an executable is found on the PATH or in a folder named beside it', () => {
  expect(findOnPath('sh')).toMatch(/\/sh$/);
  expect(findOnPath('taskwire.js', 'bin')).toBe('bin/taskwire.js');
  expect(findOnPath('taskwire.js')).toBeUndefined();
  expect(findOnPath('install.js', 'bin'), 'a file that nobody may execute').toBeUndefined();
});
