/**
 * Commands for one stream stand in line before they load it: 64 writers that all load and then append to one stream
 * had 50 of 3,260 tries accepted. Only other processes' writes are left for the commit to refuse.
 */
import type { Refusal } from '../resilience/refusal.ts';

export type StreamQueue = {
  /** Runs when all before it in any of its streams are done; throws `QueueTooLong` after waiting 2 s. */
  inLine<T>(streams: readonly string[], run: () => Promise<T>): Promise<T>;
};

/** Too many commands for one stream at once; none of this one was done. */
export class QueueTooLong extends Error {
  override readonly name = 'QueueTooLong';
  readonly refusal: Refusal = 'busy';
}
const PATIENCE = 2_000;

/** An empty queue, for one process: what other processes write to the same streams does not wait here. */
export const createStreamQueue = (): StreamQueue => {
  const tails = new Map<string, Promise<void>>();
  return {
    inLine: async (streams, run) => {
      const { promise: done, resolve: leave } = Promise.withResolvers<void>();
      const before = streams.flatMap((stream) => tails.get(stream) ?? []);
      const tail = Promise.all([...before, done]).then(() => undefined); // whoever gives up still waits for its elders
      for (const stream of streams) tails.set(stream, tail);
      try {
        if (before.length > 0) await withPatience(Promise.all(before));
        return await run();
      } finally {
        leave();
        for (const stream of streams) if (tails.get(stream) === tail) tails.delete(stream);
      }
    },
  };
};

const withPatience = async (turn: Promise<unknown>): Promise<void> => {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new QueueTooLong('too many commands wait for this')), PATIENCE);
  try {
    await Promise.race([turn, late]);
  } finally {
    clearTimeout(timer);
  }
};
