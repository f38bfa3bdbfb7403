/** A consumer's process: the real loop and a real projection, on ports that ask the simulated world. */
import type { CommandKit } from '../../src/platform/commit/command-handler.ts';
import type { RowWrite } from '../../src/platform/commit/commit.ts';
import type { Consumer } from '../../src/platform/event-bus/consumer.ts';
import type { Delivered, Delivery, Reading } from '../../src/platform/event-bus/delivery.ts';
import { chain, type Standing } from '../../src/platform/event-bus/lanes.ts';
import { backoff } from '../../src/platform/event-bus/parking.ts';
import type { Post } from '../../src/platform/event-bus/positions.ts';
import type { CommitVerdict, RunnerPorts, Slice } from '../../src/platform/event-bus/runner.ts';
import { type FeedPosition, positionText } from '../../src/platform/event-store/event.ts';
import { projection } from '../../src/platform/read-models/projection.ts';
import { integer, table, text } from '../../src/platform/read-models/table.ts';
import type { Hearer } from './config.ts';
import { type MarkedTally, NOTHING, type Tally, type Writes } from './database.ts';
import type { Process } from './scheduler.ts';
import { carried, opened, type Store, typeOf, type Written } from './store.ts';
import type { World } from './world.ts';

const TURN = 2_000;
const TALLIES = table('tally', { id: text<string>(), count: integer<number>() });
type Said = { readonly type: 'said' | 'novel'; readonly data: Written };

/** What a release knows: the second one knows a type more. */
export type Release = 1 | 2;
const knows = (release: Release, type: string): boolean => type !== 'novel' || release === 2;

export const readerPorts = (world: World, hearer: Hearer, store: Store, process: Process): RunnerPorts => {
  const { scheduler, random, config, database, happened, holds } = world;
  const post: Post = { consumer: hearer.name, source: store.source };
  const release = world.release();
  const bus = config.bus === 'both' ? random.pick(['log', 'relayed'] as const) : config.bus;
  const next = bus === 'log' ? logReader(world, hearer, store, process) : topicReader(world, hearer, store, process);
  const consumer = consumerOf(world, hearer);
  let isRegistered = false;
  let life = 0;

  return {
    holds: async () => {
      if (!config.takesTurns) return true;
      const mine = await scheduler.call(process, 'reads?', 'write', () => database.lease(post, process.name, TURN));
      if (!mine) await scheduler.pause(process, random.between(200, 1_000));
      return mine;
    },
    standing: async () => {
      if (!isRegistered) {
        const start = hearer.begins === 'now' ? await scheduler.call(process, 'end', 'read', store.end) : undefined;
        await scheduler.call(process, 'registers', 'write', () => database.register(post, start ?? ORIGIN));
      }
      isRegistered = true;
      const standing = await scheduler.call(process, 'stands', 'read', () => database.standing(post));
      life = standing.life;
      return standing;
    },
    next,
    read: async (deliveries) => deliveries.map((delivery) => read(world, release, delivery)),
    carryOut: async (change, events) => {
      const decidedIn = life; // a commit that is carried out late is still of the registration that it was sent for
      const commit = (writes: Writes): Promise<CommitVerdict> =>
        scheduler.call(process, 'commits', 'write', () => {
          if (random.chance(config.contended)) return 'contended';
          const verdict = database.commit(post, decidedIn, change, writes);
          happened(`commit ${verdict}`);
          return verdict;
        });
      if (events.length === 0) return commit(NOTHING);
      const jobs: string[] = [];
      const kit = kitOf((ids) =>
        scheduler.call(process, 'loads', 'read', () => {
          const mails = events.map(writtenOf).filter(({ nature }) => nature === 'mail');
          jobs.push(...mails.map(({ id }) => jobOf(post, id)).filter((job) => !world.jobs.has(job)));
          return ids.flatMap((id) => database.tally(hearer.name, id) ?? []);
        }),
      );
      const apart = !holds('a job begins with the effect');
      const own = () => (hearer.name === 'p' ? jobs : []);
      const verdict = await consumer.handle(kit, events, ({ writes }) =>
        commit({
          handled: events.map(writtenOf),
          tallies: writes.flatMap(talliesIn),
          jobs: apart ? [] : own(),
        }),
      );
      if (apart && verdict === 'accepted')
        await scheduler.call(process, 'begins jobs', 'write', () => {
          for (const job of own()) if (!world.jobs.has(job)) world.jobs.begin(job);
        });
      return verdict;
    },
    due: () => scheduler.call(process, 'due', 'read', () => database.due(post, (type) => knows(release, type))),
    parkedOf: (key) => scheduler.call(process, 'parked', 'read', () => database.parkedOf(post, key)),
    retryIn: backoff(random.next),
    clock: scheduler.now,
    pause: (ms) => scheduler.pause(process, ms),
    report: ({ kind, ...incident }) => {
      happened(kind);
      world.note(() => `${process.name} reports: ${kind} ${JSON.stringify(incident, told)}`);
    },
  };
};
const ORIGIN: FeedPosition = { era: 0, tx: '0', position: 0 };
const told = (_: string, value: unknown) => (value instanceof Error ? `${value.name}: ${value.message}` : value);
/** A mail's id follows from the event that led to it. */
export const jobOf = ({ source }: Post, id: string): string => `${source}:${id}`;
const writtenOf = ({ event }: Delivered): Written => event.data as Written;
/** What a projection writes, as its table's statements mean it. */
const talliesIn = (write: RowWrite): Writes['tallies'] => {
  if (!('statement' in write)) throw new Error('a projection writes over what it has read');
  const isGone = write.statement === TALLIES.marked.remove;
  const set: readonly (Tally & { readonly mark?: string })[] = JSON.parse(String(write.values[0]));
  return set.map(({ id, count, mark }) => ({ id, mark, row: isGone ? undefined : { id, count } }));
};

const kitOf = (find: (ids: readonly string[]) => Promise<readonly MarkedTally[]>) => ({
  commands: {} as CommandKit,
  database: {
    read: async <R>(_: unknown, [ids]: readonly unknown[]) => (await find(ids as readonly string[])) as readonly R[],
    write: () => Promise.reject(new Error('a projection writes by its commit')),
    openSession: () => Promise.reject(new Error('a projection has no session')),
    close: async () => undefined,
  },
  isOlder: async () => false,
});

const consumerOf = (world: World, { name, tallies }: Hearer): Consumer => {
  const fold = (row: Tally | undefined, { data }: Said, _: unknown, id: string): Tally => {
    if (id !== 'all' && world.fails(name, data)) throw new Error(`${data.id} cannot be handled`);
    return { id, count: (row?.count ?? 0) + 1 };
  };
  return projection<Tally, Said>(name, {
    table: TALLIES,
    ids: ({ data }) => tallies(data),
    on: { said: fold, novel: fold },
  });
};

const read = (world: World, release: Release, delivery: Delivery): Reading => {
  const one = world.safety.eventOf(delivery);
  const type = typeOf(one.nature);
  const fault = (cause: 'unknown' | 'unreadable'): Reading => ({
    kind: 'fault',
    delivery,
    fault: { cause, error: cause },
  });
  if (!knows(release, type)) return fault('unknown');
  if (type === 'unreadable') return fault('unreadable');
  return type === 'aside' ? { kind: 'other', delivery } : { kind: 'event', delivery, event: opened(one) };
};

type Next = (standing: Standing) => Promise<Slice>;
const NONE: Slice = { deliveries: [], cursors: [] };

/** As the log bus does it: the store is the bus, and the reader says what lies before each event. */
const logReader =
  (world: World, { topics }: Hearer, store: Store, process: Process): Next =>
  async (standing) => {
    const { scheduler, random, config } = world;
    const from = standing.cursors.get('log');
    const place = from === undefined ? standing.start : placeOf(from);
    const events = await scheduler.call(process, 'reads', 'read', () => world.feed(store, place, config.slice));
    const last = events.at(-1);
    if (last === undefined) {
      await scheduler.pause(process, random.between(50, 600));
      return NONE;
    }
    const wanted = events.filter(({ topic }) => topics.has(topic)).map(carried);
    return { deliveries: chain(standing, wanted), cursors: [{ part: 'log', from, to: positionText(last.at) }] };
  };

/** As a broker's client does it: some partitions at once, from their cursors, or from where it believes that it was. */
const topicReader = (world: World, { topics }: Hearer, store: Store, process: Process): Next => {
  const { scheduler, random, config, happened } = world;
  let turn = 0;
  return async (standing) => {
    const { partitions } = world.topicOf(store.source);
    const count = random.between(1, partitions.length);
    const spots = Array.from({ length: count }, (_, n) => {
      const number = (turn + n) % partitions.length;
      const part = `p${number}`;
      const cursor = Number(standing.cursors.get(part) ?? 0);
      const misplaced = random.chance(config.misplaced) ? random.between(-3, 2) : 0;
      return { number, part, cursor, begin: Math.max(0, cursor + misplaced) };
    });
    turn += 1;
    const names = spots.map(({ part }) => part).join(' and ');
    const read = await scheduler.call(process, `reads ${names}`, 'read', () =>
      spots.map((spot) => ({
        ...spot,
        records: (partitions[spot.number] ?? []).slice(spot.begin, spot.begin + config.slice),
      })),
    );
    const full = read.filter(({ records }) => records.length > 0);
    if (full.length === 0) {
      if (partitions.length === 1 || turn % 2 === 0) await scheduler.pause(process, random.between(50, 600));
      return NONE;
    }
    if (full.length > 1) happened('read of several partitions');
    if (full.some(({ begin, cursor }) => begin < cursor)) happened('read again from before');
    if (full.some(({ begin, cursor }) => begin > cursor)) happened('read from beyond');
    return {
      deliveries: full.flatMap(({ records }) => records.filter(({ topic }) => topics.has(topic))),
      cursors: full.flatMap(({ part, cursor, begin, records }) => {
        const end = begin + records.length;
        const from = begin > cursor ? String(begin) : standing.cursors.get(part);
        return end > cursor ? [{ part, from, to: String(end) }] : [];
      }),
    };
  };
};

export const placeOf = (cursor: string): FeedPosition => {
  const [era = '', tx = '', position = ''] = cursor.split(':');
  return { era: Number(era), tx, position: Number(position) };
};
