import { expect, test } from 'vitest';
import { instantOf } from './connection.ts';

test.each([
  ['2026-11-24 09:00:00+00', '2026-11-24T09:00:00.000Z'],
  ['2026-11-24 09:00:00.1+00', '2026-11-24T09:00:00.100Z'],
  ['2026-11-24 09:00:00.12+00', '2026-11-24T09:00:00.120Z'],
  ['2026-11-24 09:00:00.123456+00', '2026-11-24T09:00:00.123456Z'],
])('the server’s %s is the instant %s', (text, instant) => {
  expect(instantOf(text)).toBe(instant);
});
