import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createStreamQueue, QueueTooLong } from './stream-queue.ts';

/** Something that runs until it is told to end. */
const task = () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  let begun = false;
  return {
    run: async () => {
      begun = true;
      await promise;
    },
    end: resolve,
    begun: () => begun,
  };
};
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('those in line for one stream run one at a time, in the order in which they came', () => {
  test('and those for other streams do not wait', async () => {
    const queue = createStreamQueue();
    const [first, second, other] = [task(), task(), task()];
    const done = [queue.inLine(['a'], first.run), queue.inLine(['a'], second.run), queue.inLine(['b'], other.run)];
    await settled();
    expect([first.begun(), second.begun(), other.begun()]).toEqual([true, false, true]);
    first.end();
    await settled();
    expect(second.begun()).toBe(true);
    for (const one of [second, other]) one.end();
    await Promise.all(done);
  });

  test('64 of them never run beside each other', async () => {
    const queue = createStreamQueue();
    const order: number[] = [];
    let running = 0;
    await Promise.all(
      Array.from({ length: 64 }, (_, n) =>
        queue.inLine(['a'], async () => {
          running += 1;
          expect(running).toBe(1);
          if (n % 8 === 0) await sleep(1);
          order.push(n);
          running -= 1;
        }),
      ),
    );
    expect(order).toEqual(Array.from({ length: 64 }, (_, n) => n));
  });

  test('one for two streams waits for both, and both lines wait for it; named twice, it does not wait for itself', async () => {
    const queue = createStreamQueue();
    const [a, b, both, after] = [task(), task(), task(), task()];
    const done = [
      queue.inLine(['a'], a.run),
      queue.inLine(['b'], b.run),
      queue.inLine(['a', 'b', 'a'], both.run),
      queue.inLine(['b'], after.run),
    ];
    a.end();
    await settled();
    expect([both.begun(), after.begun()]).toEqual([false, false]);
    b.end();
    await settled();
    expect([both.begun(), after.begun()]).toEqual([true, false]);
    both.end();
    await settled();
    expect(after.begun()).toBe(true);
    after.end();
    await Promise.all(done);
  });

  test('one that throws lets the next go on', async () => {
    const queue = createStreamQueue();
    const failing = queue.inLine(['a'], () => Promise.reject(new Error('broken')));
    const next = queue.inLine(['a'], async () => 'done');
    await expect(failing).rejects.toThrow('broken');
    expect(await next).toBe('done');
  });
});

describe('nobody stands in line for ever', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('who waited 2 s gives up undone, and whoever comes later still waits for those before', async () => {
    const queue = createStreamQueue();
    const [endless, impatient, later] = [task(), task(), task()];
    const done = queue.inLine(['a'], endless.run);
    const givesUp = queue.inLine(['a'], impatient.run).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(1_000);
    const last = queue.inLine(['a'], later.run);
    await vi.advanceTimersByTimeAsync(1_100);
    expect(await givesUp).toBeInstanceOf(QueueTooLong);
    expect([impatient.begun(), later.begun()]).toEqual([false, false]);
    endless.end();
    await vi.advanceTimersByTimeAsync(0);
    expect([impatient.begun(), later.begun()]).toEqual([false, true]);
    later.end();
    await Promise.all([done, last]);
  });
});
