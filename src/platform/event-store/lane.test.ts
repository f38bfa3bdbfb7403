import { expect, test } from 'vitest';
import { laneOf, murmur2 } from './lane.ts';

// The vectors of Apache Kafka's own UtilsTest.testMurmur2.
test.each([
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
])('murmur2 of %s is what Java’s client computes', (text, hash) => {
  expect(murmur2(new TextEncoder().encode(text))).toBe(hash);
});

test('a lane is between 0 and 63, and halving the partitions keeps keys together', () => {
  for (let n = 0; n < 1_000; n += 1) {
    const lane = laneOf(`key-${n}`);
    expect(lane).toBeGreaterThanOrEqual(0);
    expect(lane).toBeLessThan(64);
    expect(lane % 16).toBe((murmur2(new TextEncoder().encode(`key-${n}`)) & 0x7fffffff) % 16);
  }
});
