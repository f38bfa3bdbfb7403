/**
 * What a schedule's world is made of. Small, so that what is at odds meets often: few keys in few lanes, and several
 * processes at each. Each schedule draws which faults there are at all, for one that happens all the time hides others.
 */
import type { Random } from '../support/random.ts';
import type { Rates } from './scheduler.ts';
import type { Nature, Written } from './store.ts';

/** A consumer, as the world knows it. */
export type Hearer = {
  readonly name: string;
  readonly begins: 'beginning' | 'now';
  readonly topics: ReadonlySet<string>;
  /** The rows that an event is folded into. */
  readonly tallies: (event: Pick<Written, 'source' | 'topic' | 'key'>) => readonly string[];
};

export type Config = {
  readonly sources: readonly string[];
  readonly topics: readonly string[];
  readonly keys: number;
  readonly lanes: number;
  readonly partitions: number;
  readonly events: number;
  readonly natures: readonly Nature[];
  readonly writers: number;
  readonly hearers: readonly Hearer[];
  /** Processes for each consumer at each source. */
  readonly readers: number;
  readonly relays: number;
  readonly bus: 'log' | 'relayed' | 'both';
  readonly slice: number;
  /** Whether those that read for a consumer take turns, or all do at once. */
  readonly takesTurns: boolean;
  readonly workers: number;
  readonly timers: number;
  readonly operator: boolean;
  readonly restores: boolean;
  readonly retires: boolean;
  readonly contended: number;
  /** Readers of the relayed bus begin before, or beyond, where they ought to. */
  readonly misplaced: number;
  readonly rates: Rates;
  /** Steps until the faults end. */
  readonly steps: number;
};

export const drawConfig = (random: Random): Config => {
  const { between, chance, pick } = random;
  const rate = (share: number, most: number) => (chance(share) ? most * random.next() : 0);
  const isStorm = chance(0.05);
  const sources = chance(0.25) ? ['a', 'b'] : ['a'];
  const topics = chance(0.4) ? ['one', 'two'] : ['one'];
  const natures: Nature[] = chance(0.6) ? ['plain', 'plain', 'aside', 'mail', 'mail'] : ['plain', 'plain', 'aside'];
  for (const nature of ['flaky', 'poison', 'novel', 'unreadable'] as const) if (chance(0.35)) natures.push(nature);
  const shared = chance(0.3);
  const hearer = (name: string, all: boolean): Hearer => ({
    name,
    begins: chance(0.15) ? 'now' : 'beginning',
    topics: new Set(all ? topics : ['one']),
    tallies: ({ source, topic, key }) => [`${source}/${topic}/${key}`, ...(shared ? ['all'] : [])],
  });
  const disturbed = chance(0.93);
  return {
    sources,
    topics,
    keys: isStorm ? 30 : between(2, 5),
    lanes: between(1, 3),
    partitions: pick([1, 2]),
    events: isStorm ? 70 : between(6, 20),
    natures: isStorm ? ['poison', 'poison', 'plain'] : natures,
    writers: isStorm ? 3 : between(1, 3),
    hearers: chance(0.3) ? [hearer('p', true), hearer('q', false)] : [hearer('p', chance(0.7))],
    readers: isStorm ? 1 : between(1, 3),
    relays: between(1, 2),
    bus: pick(['log', 'log', 'relayed', 'relayed', 'both']),
    slice: pick([1, 2, 3, 5, 8, isStorm ? 30 : 12]),
    takesTurns: chance(0.4),
    workers: natures.includes('mail') ? between(1, 2) : 0,
    timers: chance(0.4) ? between(1, 2) : 0,
    operator: chance(0.5),
    restores: chance(0.1),
    retires: chance(0.06),
    contended: rate(0.2, 0.3),
    misplaced: rate(0.5, 0.3),
    rates: disturbed
      ? {
          lost: rate(0.5, 0.06),
          unanswered: rate(0.5, 0.06),
          late: rate(0.5, 0.06),
          slow: rate(0.4, 0.05),
          held: rate(0.4, 0.3),
          killed: rate(0.6, 0.02),
          frozen: rate(0.6, 0.03),
          jumped: rate(0.15, 0.01),
        }
      : { lost: 0, unanswered: 0, late: 0, slow: 0, held: 0, killed: 0, frozen: 0, jumped: 0 },
    steps: isStorm ? 700 : between(120, 320),
  };
};
