import type { Reporter, TestCase, TestModule } from 'vitest/node';

/**
 * Closes every run with the one line that people and CI read, and names before it what was not run and why. A run that
 * executed nothing fails: it proved nothing.
 */
export const closingLine: Reporter = {
  onTestRunEnd: (modules, unhandledErrors) => {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const count = (state: string) => tests.filter((test) => test.result().state === state).length;
    const passed = count('passed');
    const failed = count('failed') + modules.filter(isBroken).length + unhandledErrors.length;
    const skipped = count('skipped');

    const lines = tests.filter(reasonOf).map((test) => `  ${test.module.relativeModuleId} > ${test.fullName}`);
    if (lines.length > 0) console.log(['Not run:', ...lines, ''].join('\n'));
    if (passed + failed === 0) {
      console.log('No test was run.\n');
      process.exitCode = 1;
    }
    console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  },
};

/** Tests that only a name filter left out have no reason. */
const reasonOf = (test: TestCase): string | undefined => {
  const result = test.result();
  return result.state === 'skipped' ? result.note : undefined;
};

/** A file or a hook failed, which is no failure of a test: without this, "0 failed" would stand under a failed run. */
const isBroken = (module: TestModule): boolean =>
  module.errors().length > 0 || [...module.children.allSuites()].some((suite) => suite.errors().length > 0);
