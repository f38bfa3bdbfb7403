/** The short form of a scenario as tests: one for it, one for each of its controls. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { kafka } from '../../support/kafka.ts';
import { requirement } from '../../support/requires.ts';
import { chanceOf } from './chance.ts';
import { distributedWorld } from './distributed-world.ts';
import { embeddedWorld } from './embedded-world.ts';
import { inLines, type Outcome, play, playControl } from './play.ts';
import type { Scenario, Stage, Topology } from './scenario.ts';
import type { World } from './world.ts';

const LONGEST = 600_000;
/** Lines. */
const MOST_SAID = 60;

const WORLDS = { embedded: embeddedWorld, distributed: distributedWorld } as const;

export const inVitest = (scenario: Scenario, topology: Topology = 'embedded'): void => {
  const { name, promise, needs, controls } = scenario;
  const suite = () => {
    let world: World;
    beforeAll(() => {
      world = WORLDS[topology]();
    });
    afterAll(() => world.close());
    const chance = chanceOf();
    /** How it went is told where something is wrong: what failed once may not fail again. */
    const check = async (playing: (stage: Stage) => Promise<Outcome>): Promise<void> => {
      const said: string[] = [];
      const outcome = await playing({ world, form: 'short', chance, report: (line) => void said.push(line) });
      console.log([`TEST_SEED=${chance.seed}`, ...inLines(outcome), ''].join('\n'));
      expect(outcome.faults, said.slice(-MOST_SAID).join('\n')).toEqual([]);
    };
    test(promise, { timeout: LONGEST }, () => check((stage) => play(scenario, stage)));
    const isElsewhere = topology === 'distributed' && scenario.topologies === undefined;
    for (const one of isElsewhere ? [] : controls) // wrong systems of their own: one topology tries them
      test(`finds out ${one.name}`, { timeout: LONGEST }, () => check((stage) => playControl(scenario, one, stage)));
  };
  const everywhere = (title: string) =>
    needs ? requirement(needs.name, needs.cure, needs.probe).describe(title, suite) : describe(title, suite);
  if (topology === 'distributed') kafka.describe('distributed', () => everywhere(name));
  else everywhere(name);
};
