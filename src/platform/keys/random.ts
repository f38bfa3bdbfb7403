/** Random bytes in stock: asking the system for twelve at a time costs as much as sealing a field with them. */
import { randomFillSync } from 'node:crypto';

const stock = Buffer.alloc(8 * 1024);
let used = stock.length;

/** So many fresh bytes from the system's secure source; theirs alone: a later call overwrites them, so whoever keeps them copies them. */
export const freshBytes = (count: number): Buffer => {
  if (used + count > stock.length) {
    randomFillSync(stock);
    used = 0;
  }
  used += count;
  return stock.subarray(used - count, used);
};
