/**
 * Whoever tries passwords of an account waits for the answer, twice as long each time, wherever they come from and whether
 * the account exists. Nobody is refused for it: else whoever knows an address could keep its owner out for nothing.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Limit } from '#platform/cache/gcra.ts';
import type { Limiter } from '#platform/cache/limits.ts';

export type Guesses = {
  /** Counts a try, and waits before it is looked at. */
  slowDown(account: string): Promise<void>;
  /** Once somebody is in: the next time they come they shall not wait for tries of before. */
  forget(account: string): Promise<void>;
};

/** So many are remembered, and one of them is forgotten each 45 s. */
const TRIES: Limit = { name: 'tries', quota: 20, window: 900 };
const FREE = 5;
const FIRST = 250;
const LONGEST = 3_000;

/** ms to wait before the n-th try, of those that are remembered. */
export const delayOf = (tries: number): number =>
  tries <= FREE ? 0 : Math.min(LONGEST, FIRST * 2 ** (tries - FREE - 1));

/** Without a limiter nobody waits: limits are switched off. */
export const createGuesses = (
  limiter: Limiter | undefined,
  wait: (ms: number) => Promise<unknown> = pause,
): Guesses => ({
  slowDown: async (key) => {
    const [allowance] = (await limiter?.take([{ limit: TRIES, key }])) ?? [];
    const tries = allowance ? TRIES.quota - allowance.remaining : 0;
    if (tries > FREE) await wait(delayOf(tries));
  },
  forget: async (key) => limiter?.forget({ limit: TRIES, key }),
});
