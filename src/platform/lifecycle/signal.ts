/** "There is something new": from whoever committed to whoever polls, within a process. A hint, never a promise. */

type Listener = {
  /**
   * Waits for a notice, so many ms at the most; answers whether there was one. A notice that came since the last wait
   * counts, so none is missed.
   */
  wait(ms: number): Promise<boolean>;
};
export type Signal = {
  notify(): void;
  /** For one caller: what one listener has heard, another has not. */
  listen(): Listener;
};

/** Nobody listens at first; a notice that nobody hears is lost. */
export const createSignal = (): Signal => {
  const hear = new Set<() => void>();
  return {
    notify: () => {
      for (const heard of hear) heard();
    },
    listen: () => {
      let pending = false;
      let wake: (() => void) | undefined;
      hear.add(() => {
        pending = true;
        wake?.();
      });
      return {
        wait: async (ms) => {
          if (!pending) {
            await new Promise<void>((resolve) => {
              const timer = setTimeout(resolve, ms);
              wake = () => {
                clearTimeout(timer);
                resolve();
              };
            });
            wake = undefined;
          }
          const heard = pending;
          pending = false;
          return heard;
        },
      };
    },
  };
};
