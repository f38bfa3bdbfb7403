/** One schedule's world: stores, buses, a consuming database, work that is due, and all who are at it. */
import type { RelayPorts } from '../../src/platform/event-bus/relay.ts';
import type { RunnerPorts } from '../../src/platform/event-bus/runner.ts';
import type { FeedPosition } from '../../src/platform/event-store/event.ts';
import type { Random } from '../support/random.ts';
import type { Config } from './config.ts';
import { createDatabase, type Database, type Law } from './database.ts';
import { createJobs, type Jobs } from './jobs.ts';
import { placeOf, type Release } from './reader.ts';
import { createSafety, type Rule, type Safety } from './safety.ts';
import { createScheduler, type Scheduler } from './scheduler.ts';
import { createStore, orderOf, type Store, type Written } from './store.ts';
import { createTimers, type TimerLaw, type Timers } from './timers.ts';
import { createTopic, type Topic } from './topic.ts';
import { createSchedule, type Schedule, type WorkLaw } from './work.ts';
import { createWorkSafety, type WorkRule, type WorkSafety } from './work-safety.ts';

export type AnyLaw =
  | Law
  | WorkLaw
  | TimerLaw
  | 'the feed ends below the oldest transaction'
  | 'a mail is sent before it is settled'
  | 'a job begins with the effect';
export type AnyRule = Rule | WorkRule | 'no process breaks' | 'all is done once the faults have ended';

/** What is done wrong on purpose: laws that do not hold in this world, loops that stand on other ports. */
export type Planted = {
  readonly breaks?: readonly AnyLaw[];
  readonly consumer?: (ports: RunnerPorts) => RunnerPorts;
  readonly relay?: (ports: RelayPorts) => RelayPorts;
};

export type World = {
  readonly config: Config;
  readonly random: Random;
  readonly planted: Planted;
  readonly holds: (law: AnyLaw) => boolean;
  readonly scheduler: Scheduler;
  readonly stores: readonly Store[];
  readonly database: Database;
  readonly mails: Schedule;
  readonly jobs: Jobs;
  readonly timers: readonly Timers[];
  readonly safety: Safety;
  readonly workSafety: WorkSafety;
  readonly happened: (what: string) => void;
  readonly note: (text: () => string) => void;
  readonly topicOf: (source: string) => Topic;
  readonly feed: (store: Store, after: FeedPosition, limit: number) => readonly Written[];
  /** What a process that starts now is of. */
  readonly release: () => Release;
  /** Whether a consumer's handling of an event fails this time. */
  readonly fails: (consumer: string, event: Written) => boolean;
  /** The faults are over, and whoever broke something repairs it. */
  readonly calm: () => void;
  readonly isCalm: () => boolean;
};

type Options = Pick<World, 'random' | 'config' | 'planted' | 'happened' | 'note'> & {
  readonly fail: (rule: AnyRule, text: string) => void;
};

export const createWorld = (options: Options): World => {
  const { random, config, planted, happened, note, fail } = options;
  const broken = new Set<AnyLaw>(planted.breaks);
  const holds = (law: AnyLaw): boolean => !broken.has(law);
  const crashed = (error: unknown) =>
    fail('no process breaks', error instanceof Error ? (error.stack ?? error.message) : String(error));
  const scheduler = createScheduler({ random, rates: config.rates, happened, note, broken: crashed });
  const { wall, now } = scheduler;

  const topicOf = byName(config.sources.map((source) => [source, createTopic(config.partitions)]));
  const hearerOf = byName(config.hearers.map((hearer) => [hearer.name, hearer]));
  const safety: Safety = createSafety(fail, hearerOf, (source, part, cursor) => {
    if (part === 'log') return storeOf(source).visible.filter(({ order }) => order <= orderOf(placeOf(cursor)));
    const records = topicOf(source).partitions[Number(part.slice(1))] ?? [];
    return records.slice(0, Number(cursor)).map(safety.eventOf);
  });
  const workSafety = createWorkSafety(fail, wall);
  const mails = createSchedule('mail', holds, wall, workSafety.work);
  const jobs = createJobs(random, mails, wall, workSafety.mail);
  const database = createDatabase(holds, wall, safety.observer, jobs);
  const stores = config.sources.map((source) =>
    createStore(source, (events) => {
      note(() => `${source} has ${events.map(({ id, key, lane, nature }) => `${id} (${nature}, ${key} in ${lane})`)}`);
      safety.committed(database, events);
    }),
  );
  const storeOf = byName(stores.map((store) => [store.source, store]));
  const timers = stores.map((store) => {
    const schedule = createSchedule(`timers of ${store.source}`, holds, wall, workSafety.work);
    return createTimers(store, schedule, holds, now, workSafety.timers);
  });

  let isCalm = false;
  let release: Release = 1;
  const troubles = new Map<string, number>();
  return {
    config,
    random,
    planted,
    holds,
    scheduler,
    stores,
    database,
    mails,
    jobs,
    timers,
    safety,
    workSafety,
    happened,
    note,
    topicOf,
    feed: ({ published, byPosition }, after, limit) =>
      holds('the feed ends below the oldest transaction') ? published(after, limit) : byPosition(after, limit),
    release: () => release,
    fails: (consumer, { id, nature }) => {
      if (nature === 'poison') return !isCalm;
      if (nature !== 'flaky') return false;
      const left = troubles.get(`${consumer} ${id}`) ?? random.between(1, 4);
      troubles.set(`${consumer} ${id}`, Math.max(0, left - 1));
      return left > 0;
    },
    isCalm: () => isCalm,
    calm: () => {
      isCalm = true;
      scheduler.calm();
      note(() => 'the faults are over');
      if (!config.natures.includes('novel') && !config.retires) return;
      release = 2;
      for (const process of scheduler.processes()) scheduler.kill(process, 0);
    },
  };
};

const byName = <T>(entries: readonly (readonly [string, T])[]): ((name: string) => T) => {
  const known = new Map(entries);
  return (name) => {
    const found = known.get(name);
    if (found === undefined) throw new Error(`nothing is called ${name}`);
    return found;
  };
};
