/**
 * Before and after each test file. Many share a process (see vitest.config.ts), so what one leaves changed, the next one
 * meets, whichever that is: a failure that comes and goes with the order of the files.
 */
import { afterAll, expect, vi } from 'vitest';
import { exposition } from '../../src/platform/telemetry/collectors.ts';

const state = () => ({
  folder: process.cwd(),
  environment: { ...process.env },
  listeners: Object.fromEntries(['SIGINT', 'SIGTERM'].map((name) => [name, process.listenerCount(name)])),
});
const before = state();

afterAll(async () => {
  expect(state(), 'of the process').toEqual(before);
  expect([performance.now, Date.now, globalThis.fetch].filter(vi.isMockFunction), 'mocks').toEqual([]);
  const figures = (await exposition()).split('\n');
  expect(
    figures.filter((line) => line.startsWith('taskwire_collector_up')),
    'figures that are looked up',
  ).toEqual([]);
});
