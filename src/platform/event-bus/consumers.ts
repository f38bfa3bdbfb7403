/** All consumers of a service, running: each at each source of what it hears. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { CommandKit } from '../commit/command-handler.ts';
import type { Commit, Verdict } from '../commit/commit.ts';
import { count } from '../commit/observed.ts';
import type { EventCatalog } from '../event-store/catalog.ts';
import { inTime } from '../lifecycle/in-time.ts';
import { oneLook } from '../lifecycle/one-look.ts';
import { type Database, statement } from '../sql/database.ts';
import { collecting, type Reading } from '../telemetry/collectors.ts';
import type { Logger } from '../telemetry/logger.ts';
import { gauges, metrics } from '../telemetry/metrics.ts';
import { type EventBus, isLate } from './bus.ts';
import { type Consumer, type ConsumerKit, type Effects, NO_EFFECTS, sourcesOf } from './consumer.ts';
import type { Delivered } from './delivery.ts';
import { leaseOf } from './lease.ts';
import { parkedKeys, type Stand, standOf } from './overview.ts';
import { backoff } from './parking.ts';
import { changeWrites, dueKeys, type Post, parkedDeliveries, readStanding } from './positions.ts';
import { readDeliveries } from './read.ts';
import { checkConsumers, register } from './registration.ts';
import { type CommitVerdict, type Incident, type RunnerPorts, runConsumer } from './runner.ts';
import { tracedSlice } from './traced.ts';

export type ConsumersOptions = {
  readonly database: Database;
  readonly commands: CommandKit;
  readonly bus: EventBus;
  /** Every public event that may come by, of whatever service. */
  readonly catalog: EventCatalog;
  readonly consumers: readonly Consumer[];
  readonly logger: Logger;
  readonly failPoint?: ((name: string) => void) | undefined;
};
export type Consumers = {
  /** Rejects with ConsumerVanished; everything else that may be wrong is waited for. */
  start(): Promise<void>;
  /** Where each stands. Asks the database, and each source. */
  health(): Promise<readonly ConsumerHealth[]>;
  /** Waits for what is under way, 4 s at the most: what is handled later is committed as ever, or not at all. */
  stop(): Promise<void>;
};
export type ConsumerHealth = Post & Stand & { readonly status: 'ok' | 'degraded' };

const PAUSE_WHERE_CONTENDED = 5;
/** ms for what is under way at a stop; a broker that hangs is waited for longer than that. */
const LAST_SLICE = 4_000;

/** A loop and a lease for each consumer at each of its sources. Throws for a type that is no public event. */
export const openConsumers = (options: ConsumersOptions): Consumers => {
  const { database, bus, catalog, consumers, logger } = options;
  const posts = consumers.flatMap((consumer) =>
    sourcesOf(catalog, consumer).map((source) => ({ ...source, consumer })),
  );
  const stopping = new AbortController();
  let running: Promise<unknown> = Promise.resolve();
  let stopCollecting = (): void => undefined;
  const readings = async (): Promise<readonly Reading[]> => {
    const parked = await parkedKeys(database);
    const ofPosts = posts.map(async ({ consumer: { name: consumer }, source }): Promise<readonly Reading[]> => {
      const { lag } = await standOf(database, bus, { consumer, source });
      const oldest = parked.find((one) => one.consumer === consumer && one.source === source);
      const { seconds } = lag;
      return [
        () => gauges.consumerLagEvents.set({ consumer, source }, lag.events),
        ...(seconds === null ? [] : [() => gauges.consumerLagSeconds.set({ consumer, source }, seconds)]),
        () => gauges.parkedKeys.set({ consumer, source }, oldest?.keys ?? 0),
        () => gauges.parkedSeconds.set({ consumer, source }, oldest?.seconds ?? 0),
      ];
    });
    return (await Promise.all(ofPosts)).flat();
  };
  return {
    start: async () => {
      await checkConsumers(
        database,
        consumers.map(({ name }) => name),
      );
      // However often it is asked while a source hangs: looks that nobody waits for must not queue up.
      stopCollecting = collecting('consumers', oneLook(readings));
      running = Promise.all(
        posts.map(async ({ consumer, source, topics }) => {
          const post = { consumer: consumer.name, source };
          const reader = bus.open(post, topics, leaseOf(database, post));
          const ports = portsOf(options, consumer, post, reader, stopping.signal);
          await runConsumer(ports, () => stopping.signal.aborted);
          await reader.close().catch(() => undefined); // the lease runs out by itself
        }),
      );
      logger.debug('consumers run', { count: posts.length });
    },
    health: () =>
      Promise.all(
        posts.map(async ({ consumer, source }): Promise<ConsumerHealth> => {
          const post = { consumer: consumer.name, source };
          const stand = await standOf(database, bus, post);
          const late = stand.parkedKeys > 0 || isLate(stand.lag);
          return { ...post, status: late ? 'degraded' : 'ok', ...stand };
        }),
      ),
    stop: async () => {
      stopCollecting();
      stopping.abort();
      await inTime(LAST_SLICE, running);
    },
  };
};

const portsOf = (
  { database, commands, bus, catalog, logger, failPoint = () => undefined }: ConsumersOptions,
  consumer: Consumer,
  post: Post,
  reader: ReturnType<EventBus['open']>,
  stopping: AbortSignal,
): RunnerPorts => {
  const types = new Set(consumer.types);
  const known = Object.fromEntries([...catalog].map(([type, { version }]) => [type, version]));
  const kit: ConsumerKit = { commands, database, isOlder: olderBy(database) };
  let registered = false;
  let registration: string | undefined;
  return {
    holds: () => reader.holds(),
    standing: async () => {
      if (!registered) await register(database, consumer, post.source, () => bus.end(post.source));
      registered = true;
      const standing = await readStanding(database, post);
      registration = standing.registration;
      return standing;
    },
    next: (standing) => reader.next(standing),
    read: (deliveries) => readDeliveries(catalog, commands.keys, types, deliveries),
    carryOut: async (change, events) => {
      const began = performance.now();
      const commit = async ({ decided = [], ...effects }: Effects): Promise<CommitVerdict> => {
        const whole: Commit = {
          ...effects,
          writes: [...effects.writes, ...changeWrites(post, registration, change)],
          idempotency: undefined,
        };
        const verdict = meaningOf(await commands.executor.commit(whole));
        if (verdict === 'accepted') {
          failPoint('after-effect');
          measure(post, events);
          for (const one of decided) count(commands.service, one, began);
        }
        if (verdict === 'contended') await sleep(PAUSE_WHERE_CONTENDED * Math.random());
        return verdict;
      };
      if (events.length === 0) return commit(NO_EFFECTS);
      return tracedSlice(post, events, () => consumer.handle(kit, events, commit));
    },
    due: () => dueKeys(database, post, known, reader.owned?.()),
    parkedOf: (key) => parkedDeliveries(database, post, key),
    retryIn: backoff(Math.random),
    clock: () => performance.now(),
    pause: (ms) => sleep(ms, undefined, { signal: stopping }).catch(() => undefined), // who stops waits for nothing
    report: reporter(logger, post),
  };
};

/** `recordedAt` is of the producer's database, now is of ours: two clocks that differ must not give a negative time. */
const measure = ({ consumer, source }: Post, events: readonly Delivered[]): void => {
  metrics.consumed.inc({ consumer, source }, events.length);
  const now = Date.now();
  for (const { recordedAt } of events)
    metrics.deliverySeconds.observe({ consumer }, Math.max(0, now - Date.parse(recordedAt)) / 1_000);
};

const meaningOf = ({ verdict }: Verdict): CommitVerdict => {
  switch (verdict) {
    case 'accepted':
      return 'accepted';
    case 'missed':
      return 'lost';
    case 'stale':
    case 'busy':
      return 'contended';
    case 'taken':
    case 'duplicate':
    case 'seen':
    case 'in-flight':
      throw new Error(`what a consumer wanted to write was refused: ${verdict}`);
  }
};

const OLDER = statement('older', `select now() - $1::timestamptz > $2 * interval '1 ms' as older`);
/** The process's own clock says that nearly everything is young; where it says old, it may be wrong, and is not trusted. */
const olderBy = (database: Database) => async (instant: string, ms: number) => {
  if (Date.now() - Date.parse(instant) <= ms) return false;
  return (await database.read<{ older: boolean }>(OLDER, [instant, ms]))[0]?.older ?? false;
};

const FAILED = {
  parked: 'an event could not be handled; its key is parked',
  postponed: 'a parked key failed again, and is tried again later',
} as const;
const reporter =
  (logger: Logger, { consumer, source }: Post) =>
  (incident: Incident): void => {
    const where = { consumer, source };
    metrics.incidents.inc({ ...where, kind: incident.kind });
    switch (incident.kind) {
      case 'parked':
      case 'postponed':
        logger.warn(FAILED[incident.kind], {
          ...where,
          topic: incident.key.topic,
          key: incident.key.key,
          count: incident.key.attempts,
          error: incident.error,
        });
        break;
      case 'settled':
        logger.info('a parked key is dealt with', {
          ...where,
          topic: incident.key.topic,
          key: incident.key.key,
        });
        break;
      case 'gap':
        logger.error('events are missing; the consumer stands still', { ...where, error: incident.error });
        break;
      case 'waiting':
        logger.warn('a consumer waits', { ...where, error: incident.error });
        break;
      case 'stopped':
        logger.error('too much fails; the consumer takes nothing new', where);
        break;
      case 'resumed':
        logger.info('the consumer goes on', where);
        break;
    }
  };
