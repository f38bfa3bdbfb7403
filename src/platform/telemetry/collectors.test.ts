import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, expect, test, vi } from 'vitest';
import { collecting, exposition } from './collectors.ts';
import { gauges } from './metrics.ts';

const stops: (() => void)[] = [];
const collector = (...args: Parameters<typeof collecting>) => void stops.push(collecting(...args));
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
  vi.restoreAllMocks();
});

/** Looked at anew: the clock says that what was seen before is old. */
let clock = performance.now();
const figures = async (): Promise<readonly string[]> => {
  clock += 60_000;
  const now = clock;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  return (await exposition()).split('\n').filter((line) => !line.startsWith('#'));
};
const backlog = (value: number) => () => gauges.relayBacklogEvents.set({ service: 'test' }, value);
const BACKLOG = 'taskwire_relay_backlog_events{service="test"}';
const up = (name: string, value: number) => `taskwire_collector_up{collector="${name}"} ${value}`;

test('what is looked up is told, until it is not looked up any more', async () => {
  collector('quick', () => [backlog(7)]);
  expect(await figures()).toEqual(expect.arrayContaining([`${BACKLOG} 7`, up('quick', 1)]));
  stops.splice(0)[0]?.();
  const after = await figures();
  expect(after.filter((line) => line.startsWith(BACKLOG) || line.includes('quick'))).toEqual([]);
});

test('one that came is told at once, however fresh the figures are, and one that went is not', async () => {
  await figures();
  collector('come', () => []);
  expect(await exposition()).toContain(up('come', 1));
  stops.splice(0)[0]?.();
  expect(await exposition()).not.toContain('collector="come"');
});

test('what fails, or takes longer than a second, is missing and said to be; the rest is told', async () => {
  let late = false;
  collector('broken', () => Promise.reject(new Error('away')));
  collector('slow', async () => {
    await pause(1_500);
    late = true;
    return [backlog(8)];
  });
  collector('quick', () => [() => gauges.spanQueue.set(3)]);
  const told = await figures();
  expect(late).toBe(false);
  expect(told).toEqual(
    expect.arrayContaining(['taskwire_trace_queue 3', up('broken', 0), up('slow', 0), up('quick', 1)]),
  );
  expect(told.filter((line) => line.startsWith(BACKLOG))).toEqual([]);
});

test('of those who ask within a second one looks for all', async () => {
  let looks = 0;
  collector('counted', () => {
    looks += 1;
    return [];
  });
  await figures();
  await Promise.all([exposition(), exposition()]);
  expect(looks).toBe(1);
});
