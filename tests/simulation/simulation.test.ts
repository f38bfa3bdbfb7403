/**
 * Ten thousand schedules of a small world in which everything goes wrong that may, each a pure function of its seed.
 *
 *   TEST_SEED=… npm test -- tests/simulation               the same ten thousand again
 *   TEST_SEED=… SCHEDULE=… npm test -- tests/simulation    that one alone, step by step
 */
import { describe, expect, test } from 'vitest';
import { testSeed } from '../support/random.ts';
import { FAULTS } from './faults.ts';
import { type Report, runSchedule } from './schedule.ts';

const SCHEDULES = 10_000;
const seed = testSeed();
const chosen = process.env.SCHEDULE === undefined ? undefined : Number(process.env.SCHEDULE);

/** What happened must be worth the name: else the ten thousand prove less than they seem to. */
const MUST_HAPPEN = [
  'killed',
  'frozen',
  'clock jumped',
  'restored',
  'retired',
  'carried out after the death of who asked',
  'read lost',
  'read slow',
  'write lost',
  'write slow',
  'write late',
  'write unanswered',
  'commit accepted',
  'commit lost',
  'a command failed',
  'gap',
  'waiting',
  'stopped',
  'resumed',
  'parked',
  'postponed',
  'settled',
  'redriven by hand',
  'discarded: accepted',
  'published twice',
  'read again from before',
  'read from beyond',
  'read of several partitions',
  'a relay is overtaken',
  'a relay waits',
];

/** The last steps of a schedule, and how to see them again. */
const tell = async (number: number, { violation }: Report): Promise<string> => {
  const { trace } = await runSchedule({ seed, number, tracing: true });
  return [
    `schedule ${number} of seed ${seed}: ${violation?.rule}: ${violation?.text}`,
    ...trace.slice(-60),
    `again: TEST_SEED=${seed} SCHEDULE=${number} npm test -- tests/simulation`,
  ].join('\n');
};

describe('whatever goes wrong, and however it falls together', () => {
  test(`nothing is lost, skipped, doubled or out of order, and all is done once the faults end`, {
    timeout: 900_000,
  }, async () => {
    if (chosen !== undefined) {
      const report = await runSchedule({ seed, number: chosen, tracing: true });
      console.log(report.trace.join('\n'));
      expect(report.violation).toBeUndefined();
      return;
    }
    const happened = new Map<string, number>();
    let steps = 0;
    for (let number = 0; number < SCHEDULES; number += 1) {
      const report = await runSchedule({ seed, number });
      if (report.violation) expect.unreachable(await tell(number, report));
      steps += report.steps;
      for (const [what, count] of report.happened) happened.set(what, (happened.get(what) ?? 0) + count);
    }
    const counts = [...happened].toSorted(([, one], [, other]) => other - one);
    const lines = counts.map(([what, count]) => `  ${what.padEnd(42)}${String(count).padStart(9)}`);
    console.log([`${SCHEDULES} schedules, ${steps} steps (TEST_SEED=${seed})`, ...lines, ''].join('\n'));
    expect(MUST_HAPPEN.filter((what) => !happened.has(what))).toEqual([]);
  });

  test('a schedule is the same each time', async () => {
    for (const number of [0, 1, 2, 3]) {
      const [one, other] = [
        await runSchedule({ seed, number, tracing: true }),
        await runSchedule({ seed, number, tracing: true }),
      ];
      expect(one.trace.length).toBeGreaterThan(50);
      expect(other.trace).toEqual(one.trace);
    }
  });
});

describe('what is done wrong on purpose is found', () => {
  const MOST = 4_000;
  test.each(FAULTS)('$name', async ({ name, by, config, ...planted }) => {
    for (let number = 0; number < MOST; number += 1) {
      const { violation } = await runSchedule({ seed, number, planted, ...(config && { config }) });
      if (violation === undefined) continue;
      console.log(`${name}: found by “${violation.rule}” in schedule ${number + 1}`);
      expect(by, violation.text).toContain(violation.rule);
      return;
    }
    expect.unreachable(`${MOST} schedules did not find it (TEST_SEED=${seed})`);
  });
});
