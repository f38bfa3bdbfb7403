import { setTimeout as pause } from 'node:timers/promises';

/** ms between the beginnings of two looks: anybody may ask, as often as they like. */
const APART = 50;

/** One look at a time for all who ask. Each is answered by one that began after they asked. */
export const oneLook = <T>(look: () => Promise<T>): (() => Promise<T>) => {
  let free: Promise<unknown> = Promise.resolve();
  let next: Promise<T> | undefined;
  return () => {
    next ??= free.then(() => {
      next = undefined;
      const looking = look();
      free = Promise.allSettled([looking, pause(APART, undefined, { ref: false })]);
      return looking;
    });
    return next;
  };
};
