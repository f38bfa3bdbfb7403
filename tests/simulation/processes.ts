/** Who is at work in a world: writers, relays, consumers, workers, an operator, and the databases' housekeeping. */
import { runRelay } from '../../src/platform/event-bus/relay.ts';
import { runConsumer } from '../../src/platform/event-bus/runner.ts';
import { runWork } from '../../src/platform/scheduling/work-loop.ts';
import { operate } from './operator.ts';
import { readerPorts } from './reader.ts';
import { type Process, WORLD } from './scheduler.ts';
import type { Store } from './store.ts';
import { relayPorts } from './topic.ts';
import { AT_ONCE, type Claim, LEASE, type Schedule, workPorts } from './work.ts';
import type { World } from './world.ts';
import { write } from './writer.ts';

const never = () => false;
const HOUSEKEEPING = 400;

export const startAll = (world: World): void => {
  const { scheduler, config, mails, jobs, timers, holds } = world;
  const start = (count: number, name: string, body: (process: Process) => Promise<void>): void => {
    for (let n = 1; n <= count; n += 1) scheduler.spawn(`${name} ${n}`, body);
  };
  for (const store of world.stores) startAt(world, store, start);
  const habit = { settlesFirst: !holds('a mail is sent before it is settled') };
  const work = (process: Process, schedule: Schedule, run: (claim: Claim) => Promise<void>) =>
    runWork(workPorts(world, process, schedule, run), { lease: LEASE, atOnce: AT_ONCE }, never);
  start(config.workers, 'mailer', (process) => work(process, mails, jobs.run(scheduler, process, habit)));
  if (config.timers > 0)
    for (const { store, schedule, run } of timers)
      start(2, `timer@${store.source}`, (process) => work(process, schedule, run(scheduler, process)));
  start(1, 'operator', (process) => operate(world, process));
  void keepHouse(world); // for ever
};

type Start = (count: number, name: string, body: (process: Process) => Promise<void>) => void;
const startAt = (world: World, store: Store, start: Start): void => {
  const { config, planted } = world;
  const { source } = store;
  start(config.writers, `writer@${source}`, (process) => write(world, store, process));
  if (config.bus !== 'log')
    start(config.relays, `relay@${source}`, (process) => {
      const ports = relayPorts(world, store, process);
      return runRelay(planted.relay?.(ports) ?? ports, never);
    });
  for (const hearer of config.hearers)
    start(config.readers, `${hearer.name}@${source}`, (process) => {
      const ports = readerPorts(world, hearer, store, process);
      return runConsumer(planted.consumer?.(ports) ?? ports, never);
    });
};

/** A transaction of which nothing is heard any more is ended by its database. */
const keepHouse = async ({ scheduler, stores }: World): Promise<void> => {
  for (;;) {
    await scheduler.pause(WORLD, HOUSEKEEPING);
    for (const { endOld } of stores) endOld(scheduler.now());
  }
};
