/** What every cache promises, wherever it keeps things. Names no adapter. */
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Cache, Slot, Ticket } from '../../../src/platform/cache/cache.ts';
import { until } from '../../support/until.ts';

export type CacheBed = {
  /** Two processes on one cache; where only one process can be, it is twice the same. */
  readonly here: () => Cache;
  readonly there: () => Cache;
  /** One whose answers hold for 300 ms. */
  readonly shortLived: () => Cache;
};

let scopes = 0;
export const newSlot = (name = 'count'): Slot => ({ scope: `tasks of ${process.pid}-${scopes++}`, name });
export const ticketFor = async (cache: Cache, slot: Slot): Promise<Ticket> => {
  const found = await cache.get(slot);
  if (!('miss' in found) || found.miss === undefined) throw new Error(`no ticket, but ${JSON.stringify(found)}`);
  return found.miss;
};
/** undefined for a miss. */
export const look = async (cache: Cache, slot: Slot): Promise<unknown> => {
  const found = await cache.get(slot);
  return 'value' in found ? found.value : undefined;
};
export const keep = async (cache: Cache, slot: Slot, value: unknown, version: number): Promise<void> =>
  cache.set(slot, await ticketFor(cache, slot), value, version);

export const cacheSuite = (bed: CacheBed): void => {
  test('answers what was kept, again and in another process', async () => {
    const slot = newSlot();
    expect(await look(bed.here(), slot)).toBeUndefined();
    await keep(bed.here(), slot, { count: 3, titles: ['Ä', ''] }, 10);
    for (const cache of [bed.here(), bed.here(), bed.there(), bed.there()]) {
      expect(await look(cache, slot)).toEqual({ count: 3, titles: ['Ä', ''] });
    }
  });

  test('keeps what is false or nothing, which is an answer too', async () => {
    for (const value of [0, false, '', null, []]) {
      const slot = newSlot();
      await keep(bed.here(), slot, value, 1);
      expect(await bed.there().get(slot)).toEqual({ value });
    }
  });

  test('an answer belongs to its scope and name', async () => {
    const slot = newSlot('ab');
    await keep(bed.here(), slot, 'mine', 1);
    expect(await look(bed.here(), { ...slot, name: 'a' })).toBeUndefined();
    expect(await look(bed.here(), { scope: `${slot.scope}a`, name: 'b' })).toBeUndefined();
  });

  test('a drop takes every answer of its scopes, and of no other', async () => {
    const [first, other] = [newSlot('open'), newSlot('open')];
    const second = { ...first, name: 'completed' };
    for (const slot of [first, second, other]) await keep(bed.here(), slot, 1, 10);
    expect(await look(bed.there(), first)).toBe(1);
    await bed.here().drop([first.scope, newSlot().scope], 11);
    for (const cache of [bed.here(), bed.there()]) {
      expect(await look(cache, first)).toBeUndefined();
      expect(await look(cache, second)).toBeUndefined();
      expect(await look(cache, other)).toBe(1);
    }
  });

  test('what a reader made before it saw the write is not kept behind it; what was made after is', async () => {
    const slot = newSlot();
    const ticket = await ticketFor(bed.there(), slot);
    await bed.here().drop([slot.scope], 20);
    for (const version of [19, 20]) await bed.there().set(slot, ticket, 'old', version);
    expect(await look(bed.there(), slot)).toBeUndefined();
    await bed.there().set(slot, ticket, 'new', 21);
    expect(await look(bed.here(), slot)).toBe('new');
  });

  test('an older drop that comes late does not make way for what a newer one keeps out', async () => {
    const slot = newSlot();
    await bed.here().drop([slot.scope], 30);
    await bed.there().drop([slot.scope], 20);
    await keep(bed.there(), slot, 'old', 25);
    expect(await look(bed.here(), slot)).toBeUndefined();
  });

  test('the older of two answers does not take the place of the newer', async () => {
    const slot = newSlot();
    const ticket = await ticketFor(bed.here(), slot);
    await bed.here().set(slot, ticket, 'newer', 12);
    await bed.there().set(slot, ticket, 'older', 11);
    expect(await look(bed.here(), slot)).toBe('newer');
  });

  test('an answer ceases to hold by itself, counted from before it was made', async () => {
    const cache = bed.shortLived();
    const slot = newSlot();
    const ticket = await ticketFor(cache, slot);
    await cache.set(slot, ticket, 1, 1);
    await until('its end', async () => (await look(cache, slot)) === undefined, 5_000);
    await cache.set(slot, ticket, 2, 2);
    expect(await look(cache, slot), 'its maker was slower than it holds').toBeUndefined();
    await keep(cache, slot, 3, 3);
    await until('another', async () => (await look(cache, slot)) === undefined, 5_000);
  });

  test('nobody reads from before a write that was answered, whoever reads and writes at the same time', async () => {
    const slot = newSlot();
    // A table with one row: a transaction's number is taken when it begins, and seen by all once it ends.
    let tx = 0;
    let seen = { value: 0, xmin: 1 };
    let answered = 0;
    let hits = 0;
    const running = new Set<number>();
    const write = async (cache: Cache): Promise<void> => {
      tx += 1;
      const mine = tx;
      running.add(mine);
      await pause(Math.random() * 2);
      running.delete(mine);
      const xmin = running.size > 0 ? Math.min(...running) : tx + 1;
      seen = { value: Math.max(seen.value, mine), xmin };
      await cache.drop([slot.scope], mine);
      answered = Math.max(answered, mine);
    };
    const read = async (cache: Cache): Promise<void> => {
      const before = answered;
      const found = await cache.get(slot);
      if ('value' in found) {
        hits += 1;
        expect(found.value).toBeGreaterThanOrEqual(before);
        return;
      }
      await pause(Math.random() * 3);
      const { value, xmin } = { ...seen, xmin: running.size > 0 ? Math.min(...running) : tx + 1 };
      await pause(Math.random() * 3);
      if (found.miss) await cache.set(slot, found.miss, value, xmin);
    };
    const caches = [bed.here(), bed.there()];
    for (let round = 0; round < 150; round += 1) {
      const cache = () => caches[Math.random() < 0.5 ? 0 : 1] ?? bed.here();
      await Promise.all([
        ...Array.from({ length: 8 }, () => pause(Math.random() * 6).then(() => read(cache()))),
        ...(Math.random() < 0.4 ? [write(cache())] : []),
      ]);
    }
    expect(hits, 'else nothing was tried').toBeGreaterThan(100);
  });
};
