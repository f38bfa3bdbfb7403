/** How often a source is asked where people and alarms ask, and it hangs. */
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { openLogBus } from '../../../src/platform/event-bus/log-bus.ts';
import { exposition } from '../../../src/platform/telemetry/collectors.ts';
import { until } from '../../support/until.ts';
import { upTo } from '../bed.ts';
import { SCHEMA } from '../notes.ts';
import { busBed } from './bed.ts';
import { hearing } from './heard.ts';

let looks = 0;
const bed = busBed((_producer, address) => ({
  ...openLogBus({ note: { address, schema: SCHEMA } }, 'test bus'),
  lag: () => {
    looks += 1;
    return new Promise(() => undefined);
  },
}));

test('a source that hangs is asked once, however often figures are wanted meanwhile', async () => {
  await bed.listen([hearing()]);
  await until('its registration', async () => (await bed.sql('select from consumer_source')).length > 0);
  for (const _ of upTo(3)) {
    expect(await exposition()).toContain('taskwire_collector_up{collector="consumers"} 0');
    await pause(100);
  }
  expect(looks).toBe(1);
});
