import { expect, test } from 'vitest';
import { runWork, type WorkPorts } from './work-loop.ts';

type Claim = { readonly id: string; readonly claims: number };
const claim = (id: string, claims = 1): Claim => ({ id, claims });
const LEASE = 1_000;
const turn = () => new Promise((next) => setImmediate(next));

/** Two at once, of what is due in these helpings; ends when it has waited so many times for more. */
const work = async (waits: number, helpings: readonly (readonly Claim[])[], ports: Partial<WorkPorts<Claim>> = {}) => {
  const steps: string[] = [];
  const due = [...helpings];
  let waited = 0;
  const world: WorkPorts<Claim> = {
    claim: async () => ({ claims: due.shift() ?? [], nextIn: null }),
    run: async ({ id }) => void steps.push(`runs ${id}`),
    postpone: async ({ id }, ms) => void steps.push(`postpones ${id} for ${ms}`),
    wait: async () => {
      waited += 1;
      await turn();
      return false;
    },
    wake: () => undefined,
    pause: async () => undefined,
    inTime: async (_ms, doing) => doing.then(() => true),
    clock: () => 0,
    random: () => 1,
    report: ({ kind }) => void steps.push(kind),
    ...ports,
  };
  await runWork(world, { lease: LEASE, atOnce: 2 }, () => waited >= waits);
  return steps;
};
const failing = async () => Promise.reject(new Error('not today'));

test('no more is claimed than there is room for, and what runs is ended before it ends itself', async () => {
  const limits: number[] = [];
  const helpings = [[claim('a')], [claim('b')], [], []];
  const ended: string[] = [];
  await work(4, helpings, {
    claim: async (limit) => {
      limits.push(limit);
      return { claims: helpings.shift() ?? [], nextIn: null };
    },
    run: async ({ id }) => {
      for (let turns = 0; turns < 8; turns += 1) await turn();
      ended.push(id);
    },
  });
  expect(limits).toEqual([2, 1]);
  expect(ended).toEqual(['a', 'b']);
});

test('what fails is postponed, for longer each time it was claimed; what outlasts its lease too', async () => {
  const failed = await work(1, [[claim('a'), claim('b', 4)]], { run: failing });
  expect(failed).toEqual(['failed', 'postpones a for 1000', 'failed', 'postpones b for 8000']);
  const late = await work(1, [[claim('a')]], { inTime: async () => false });
  expect(late).toEqual(['runs a', 'failed', 'postpones a for 1000']);
});

test('what was claimed so slowly that less than half of its lease is left is not begun: it could outlast it', async () => {
  const claimedWithin = async (ms: number) => {
    let now = 0;
    const left: number[] = [];
    const steps = await work(1, [], {
      clock: () => now,
      claim: async () => {
        now += ms;
        return { claims: [claim('a')], nextIn: null };
      },
      inTime: async (most, doing) => {
        left.push(most);
        return doing.then(() => true);
      },
    });
    return { steps, left };
  };
  expect(await claimedWithin(LEASE / 2 + 1)).toEqual({ steps: ['failed', 'postpones a for 1000'], left: [] });
  expect(await claimedWithin(LEASE / 2)).toEqual({ steps: ['runs a'], left: [LEASE / 2] });
});

test('where nothing can be claimed or postponed it says so, and goes on', async () => {
  let tries = 0;
  const steps = await work(3, [], {
    claim: async () => {
      tries += 1;
      if (tries < 3) throw new Error('away');
      return { claims: [claim('a')], nextIn: null };
    },
    run: failing,
    postpone: failing,
  });
  expect(steps).toEqual(['waiting', 'failed', 'not-postponed', 'resumed']);
});
