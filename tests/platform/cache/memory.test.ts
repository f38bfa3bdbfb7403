import { describe, expect, test } from 'vitest';
import { createMemoryCache } from '../../../src/platform/cache/memory-cache.ts';
import { cacheSuite, keep, look, newSlot, ticketFor } from './suite.ts';

describe('a cache in memory', () => {
  const cache = createMemoryCache();
  const shortLived = createMemoryCache({ holds: 300, remembered: 600 });
  cacheSuite({ here: () => cache, there: () => cache, shortLived: () => shortLived });

  test('is bounded, and a drop that had to make room for others is not forgotten', async () => {
    const small = createMemoryCache({ entries: 3 });
    const slot = newSlot();
    const ticket = await ticketFor(small, slot);
    await small.drop([slot.scope], 10);
    await small.drop(
      [1, 2, 3].map(() => newSlot().scope),
      11,
    );
    await small.set(slot, ticket, 'old', 5);
    expect(await look(small, slot)).toBeUndefined();

    const slots = [1, 2, 3, 4].map(() => newSlot());
    for (const one of slots) await keep(small, one, 1, 20);
    const kept = await Promise.all(slots.map((one) => look(small, one)));
    expect(kept).toEqual([undefined, 1, 1, 1]);
  });
});
