/** Random numbers that come again when the seed is given again (mulberry32). */
export type Chance = {
  readonly seed: number;
  /** A whole number from low to high, both included. */
  readonly between: (low: number, high: number) => number;
};

/** TEST_SEED=… repeats a run's choices; what the machine makes of them in time differs. */
export const chanceOf = (seed = Number(process.env.TEST_SEED ?? Math.floor(Math.random() * 2 ** 31))): Chance => {
  let state = seed;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return { seed, between: (low, high) => low + Math.floor(next() * (high - low + 1)) };
};
