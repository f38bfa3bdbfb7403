/** How long a poller waits where there is nothing: short at first, ever longer, and no longer than until somebody commits. */
import type { Signal } from '../lifecycle/signal.ts';

const FIRST_WAIT = 2;
const LONGEST_WAIT = 250;

export type Patience = {
  /** Nothing was there. */
  readonly wait: () => Promise<void>;
  /** Something was: what comes next is likely to come soon. */
  readonly reset: () => void;
};
/**
 * Waits double from 2 ms to 250 ms while nothing is there. A notice ends a wait, and makes the next one short again.
 */
export const createPatience = (listener: ReturnType<Signal['listen']>): Patience => {
  let wait = FIRST_WAIT;
  const reset = (): void => {
    wait = FIRST_WAIT;
  };
  return {
    reset,
    wait: async () => {
      const heard = await listener.wait(wait);
      wait = heard ? FIRST_WAIT : Math.min(LONGEST_WAIT, wait * 2);
    },
  };
};
