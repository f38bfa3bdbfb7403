import { defineConfig, mergeConfig } from 'vitest/config';
import shared from './vitest.config.ts';

/** npm run test:integration: the suites that need no server of their own, on those that the environment names. */
export default mergeConfig(
  { ...shared, test: { ...shared.test, include: [], globalSetup: [] } },
  defineConfig({
    test: {
      include: ['tests/integration/**/*.test.ts', 'tests/platform/bus/kafka-bus.test.ts'],
      globalSetup: ['tests/support/named-servers.ts'],
    },
  }),
);
