import { setTimeout as pause } from 'node:timers/promises';

/** Waits until `holds` answers something true, and answers that; after `bound` ms says what was waited for in vain. */
export const until = async <T>(what: string, holds: () => T | Promise<T>, bound = 60_000): Promise<NonNullable<T>> => {
  const deadline = performance.now() + bound;
  for (;;) {
    const answer = await holds();
    if (answer) return answer;
    if (performance.now() > deadline) throw new Error(`waited ${bound} ms in vain for ${what}`);
    await pause(20);
  }
};
