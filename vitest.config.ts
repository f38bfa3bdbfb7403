import { defineConfig } from 'vitest/config';
import { closingLine } from './tests/support/reporter.ts';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'tests/**/*.test.ts'],
    // Processes, because tests send signals and change directories; shared by the files that run in one, because a
    // fresh module graph for each costs three times the whole run. A test file leaves no global changed behind it.
    pool: 'forks',
    isolate: false,
    maxWorkers: 2,
    // Bounds that are promised are asserted; this one only ends what hangs, also on a machine with much else to do.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    allowOnly: false,
    globalSetup: ['tests/support/global-setup.ts'],
    setupFiles: ['tests/support/leftovers.ts'],
    reporters: ['default', closingLine],
  },
});
