import fc from 'fast-check';
import { Temporal } from 'temporal-polyfill';
import { expect, test } from 'vitest';
import type { TimeZone } from '#contracts/user.ts';
import { deadlineOf, dueInstant } from './due.ts';

const LONG_AGO = '1900-01-01T00:00:00.000Z';

test('a reminder is due 24 hours before, over the ends of months, years and Februaries', () => {
  const instants = fc.date({ min: new Date('1901-01-01'), max: new Date('9998-12-31'), noInvalidDate: true });
  fc.assert(
    fc.property(instants, (date) => {
      const at = date.toISOString();
      const before = Temporal.Instant.from(at).subtract({ hours: 24 }).toString({ smallestUnit: 'millisecond' });
      expect(deadlineOf({ at }, LONG_AGO)).toEqual({ at, remindAt: before });
    }),
  );
  expect(deadlineOf({ at: '2028-03-01T00:00:00Z' }, LONG_AGO).remindAt).toBe('2028-02-29T00:00:00.000Z');
  expect(deadlineOf({ at: '2100-03-01T00:00:00Z' }, LONG_AGO).remindAt).toBe('2100-02-28T00:00:00.000Z');
});

test('a day ends where its owner lives, the same however often it is asked', () => {
  const due = { date: '2026-03-29', zone: 'Europe/Berlin' as TimeZone };
  expect([dueInstant(due), dueInstant(due)]).toEqual(['2026-03-29T22:00:00.000Z', '2026-03-29T22:00:00.000Z']);
  expect(dueInstant({ ...due, zone: 'America/New_York' as TimeZone })).toBe('2026-03-30T04:00:00.000Z');
});

test('nothing is reminded of that was set when the time for it was over', () => {
  expect(deadlineOf({ at: '2026-03-02T00:00:00Z' }, '2026-03-01T00:00:00.001Z').remindAt).toBeNull();
  expect(deadlineOf({ at: '2026-03-02T00:00:00Z' }, '2026-03-01T00:00:00.000Z').remindAt).not.toBeNull();
});
