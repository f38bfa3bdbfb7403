/** Commands of a producer: transactions that are held open, take turns on streams, and end in any order. */
import type { Process } from './scheduler.ts';
import type { Draft, Store } from './store.ts';
import type { World } from './world.ts';

/** Until enough was written. */
export const write = async (world: World, store: Store, process: Process): Promise<void> => {
  const { scheduler, random, config } = world;
  const ask = <T>(what: string, act: () => T) => scheduler.call(process, what, 'write', act);
  while (store.written() < config.events && !world.isCalm()) {
    try {
      const transaction = await ask('begins', () => store.begin(scheduler.now()));
      for (let n = random.between(1, 3); n > 0; n -= 1) {
        const draft = drawDraft(world);
        await ask(`appends to ${draft.stream}`, () => store.append(transaction, draft));
      }
      if (random.chance(0.3)) await scheduler.pause(process, random.between(10, 1_500));
      if (random.chance(0.1)) await ask('rolls back', () => store.rollBack(transaction));
      else await ask('commits', () => store.commit(transaction));
    } catch {
      world.happened('a command failed'); // its client is told so, or that nobody knows
    }
    await plan(world, store, process);
    await scheduler.pause(process, random.between(1, 300));
  }
};

const drawDraft = ({ random, config }: World): Draft => {
  const number = random.below(config.keys);
  const key = `k${number}`;
  // A key is not a stream: events of several streams may go by one key.
  const stream = `${key}-${random.below(2)}`;
  return {
    stream,
    topic: random.pick(config.topics),
    lane: number % config.lanes,
    key,
    nature: random.pick(config.natures),
  };
};

/** A timer is set, set anew or taken away. */
const plan = async ({ scheduler, random, config, timers, happened }: World, store: Store, process: Process) => {
  const own = timers.find((one) => one.store === store);
  if (config.timers === 0 || own === undefined || random.chance(0.5)) return;
  const stream = `${store.source}-timer${random.below(config.timers)}`;
  const due = random.chance(0.15) ? null : scheduler.wall() + random.between(0, 2_500);
  try {
    await scheduler.call(process, `plans ${stream}`, 'write', () => own.plan(stream, due));
  } catch {
    happened('a command failed');
  }
};
