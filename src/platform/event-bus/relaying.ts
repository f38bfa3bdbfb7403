/**
 * A service's relay, running: its store as the feed, a checkpoint beside it, and a broker to publish to.
 *
 * Before it publishes anything it looks whether the broker holds an event that its store lacks: see set-back.ts.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { comparePositions, FEED_START, type FeedPosition } from '../event-store/event.ts';
import { inTime } from '../lifecycle/in-time.ts';
import type { Signal } from '../lifecycle/signal.ts';
import { type Database, statement } from '../sql/database.ts';
import { collecting, type Reading } from '../telemetry/collectors.ts';
import type { Logger } from '../telemetry/logger.ts';
import { gauges, metrics } from '../telemetry/metrics.ts';
import { LATE, MOST_COUNTED } from './bus.ts';
import type { Delivery } from './delivery.ts';
import { readFeed } from './feed.ts';
import { laneName } from './lanes.ts';
import { leaseOf } from './lease.ts';
import { createPatience } from './patience.ts';
import { type Checkpoint, LARGEST_SLICE, type RelayPorts, runRelay } from './relay.ts';
import { currentLife, guardAgainstSetBack, type Holdings, type SetBackGuard } from './set-back.ts';
import { tracedSend } from './traced.ts';

/** A broker, as a relay needs it. */
export type Publisher = Holdings & {
  /** See RelayPorts.send. */
  send(source: string, deliveries: readonly Delivery[]): Promise<void>;
};
export type RelayOptions = {
  /** The service, as its consumers name it. */
  readonly source: string;
  readonly database: Database;
  readonly publisher: Publisher;
  /** Given after each commit of this process. */
  readonly committed: Signal;
  readonly logger: Logger;
  readonly failPoint?: ((name: string) => void) | undefined;
};
type RelayHealth = {
  /** degraded: far behind, or, where `detail` says so, the store was set back and nothing is published. */
  readonly status: 'ok' | 'degraded';
  readonly detail?: string;
  /** What is not published yet: counted up to 10,000, and the age of the oldest in seconds. */
  readonly backlog: { readonly events: number; readonly seconds: number };
};
export type Relay = {
  /** Resolves once the service may answer; rejects with StoreSetBack. Waits for a broker where it must ask one. */
  start(): Promise<void>;
  /** Whether the service may write; see SetBackGuard. */
  readonly admit: SetBackGuard['admit'];
  health(): Promise<RelayHealth>;
  stop(): Promise<void>;
};

const OTHERS_TURN = 1_000;
/** ms for what is under way at a stop; a send to a broker that hangs takes longer. */
const LAST_SEND = 4_000;

const CHECKPOINT = statement(
  'relay-checkpoint',
  `select revision, era, tx::text, position, coalesce((select json_agg(json_build_array(topic, lane, era, tx::text, position)) from relay_lane), '[]') as lanes
   from relay`,
);
type CheckpointRow = FeedPosition & {
  readonly revision: number;
  readonly lanes: readonly (readonly [string, number, number, string, number])[];
};
const STORE = statement(
  'relay-store',
  `with moved as (
     update relay set revision = $1, era = $2, tx = $3::xid8, position = $4, updated_at = clock_timestamp()
     where revision = $1 - 1 returning 1)
   insert into relay_lane (topic, lane, era, tx, position)
   select topic, lane, era, tx, position
   from json_to_recordset($5::json) l(topic text, lane smallint, era integer, tx xid8, position bigint), moved
   on conflict (topic, lane) do update set era = excluded.era, tx = excluded.tx, position = excluded.position
   returning lane`,
);
const REWIND = statement(
  'relay-rewind',
  `with forgotten as (delete from relay_lane)
   update relay set revision = revision + 1, era = $1, tx = $2::xid8, position = $3, updated_at = clock_timestamp() returning 1`,
);
const BACKLOG = statement(
  'relay-backlog',
  `select count(*)::integer as events, coalesce(extract(epoch from now() - min(behind.recorded_at)), 0)::float8 as seconds
   from (select recorded_at from event where (era, tx, position) > ($1, $2::xid8, $3)
         order by event.era, event.tx, event.position limit $4) behind`,
);
/**
 * Publishes nothing before `start`. Of several relays of a source, one holds the lease and publishes; the others stand
 * by.
 */
export const openRelay = (options: RelayOptions): Relay => {
  const { source, database, publisher, committed, logger, failPoint = () => undefined } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  const rest = (ms: number) => sleep(ms, undefined, { signal }).catch(() => undefined); // who stops waits for nothing
  let running: Promise<void> = Promise.resolve();
  const guard = guardAgainstSetBack({ source, database, publisher, logger, rest, isStopping: () => signal.aborted });
  const run = async (): Promise<void> => {
    await guard.looked().catch(() => undefined); // its refusal says it
    const lease = leaseOf(database, { consumer: 'relay', source });
    const isOver = () => signal.aborted || guard.refusal() !== undefined;
    await runRelay(portsOf(options, guard, lease, rest, failPoint), isOver);
    await lease.release().catch(() => undefined); // it runs out by itself
  };

  /** Where it stands, and what lies behind that. */
  const backlog = async () => {
    const [row] = await database.read<CheckpointRow>(CHECKPOINT, []);
    const { era, tx, position } = row ?? FEED_START;
    const [behind = { events: 0, seconds: 0 }] = await database.read<RelayHealth['backlog']>(BACKLOG, [
      era,
      tx,
      position,
      MOST_COUNTED,
    ]);
    return { position, behind };
  };
  let stopCollecting = (): void => undefined;
  const readings = async (): Promise<readonly Reading[]> => {
    const { position, behind } = await backlog();
    const service = source;
    return [
      () => gauges.relayPosition.set({ service }, position),
      () => gauges.relayBacklogEvents.set({ service }, behind.events),
      () => gauges.relayBacklogSeconds.set({ service }, behind.seconds),
    ];
  };

  return {
    start: async () => {
      stopCollecting = collecting('relay', readings);
      await guard.begin();
      running = run();
    },
    admit: guard.admit,
    health: async () => {
      const { behind } = await backlog();
      const refusal = guard.refusal();
      if (refusal) return { status: 'degraded', detail: refusal.detail, backlog: behind };
      return { status: behind.seconds * 1000 > LATE ? 'degraded' : 'ok', backlog: behind };
    },
    stop: async () => {
      stopCollecting();
      stopping.abort();
      committed.notify(); // whoever waits for a commit
      await inTime(LAST_SEND, running);
    },
  };
};

const portsOf = (
  { source, database, publisher, committed, logger }: RelayOptions,
  guard: SetBackGuard,
  lease: ReturnType<typeof leaseOf>,
  rest: (ms: number) => Promise<void>,
  failPoint: (name: string) => void,
): RelayPorts => {
  const patience = createPatience(committed.listen());
  let stored = FEED_START;
  return {
    leads: async () => {
      const mine = await lease.acquire();
      if (!mine) await rest(OTHERS_TURN);
      return mine;
    },
    stepAside: () => lease.release().catch(() => undefined), // it runs out by itself
    checkpoint: async () => {
      await guard.admit(await currentLife(database));
      const checkpoint = await readCheckpoint(database);
      stored = checkpoint.position;
      return checkpoint;
    },
    feed: async (after) => {
      // What is private to the service too: the broker keeps it for the day when the store is lost.
      const events = await readFeed(database, after, LARGEST_SLICE);
      if (events.length === 0) await patience.wait();
      else patience.reset();
      return events;
    },
    send: async (deliveries) => {
      const took = metrics.publishSeconds.startTimer({ service: source });
      await tracedSend(source, deliveries, () => publisher.send(source, deliveries));
      took();
      metrics.published.inc({ service: source }, deliveries.length);
      failPoint('after-publish');
    },
    store: async ({ revision, position: at, lanes }) => {
      const moved = [...lanes].filter(([, place]) => comparePositions(place, stored) > 0);
      const ends = JSON.stringify(moved.map(([name, place]) => ({ ...laneOfName(name), ...place })));
      const rows = await database.write(STORE, [revision, at.era, at.tx, at.position, ends]);
      if (rows.length > 0) stored = at;
      return rows.length > 0;
    },
    pause: rest,
    report: (incident) => {
      metrics.relayIncidents.inc({ service: source, kind: incident.kind });
      if (incident.kind === 'overtaken') logger.info('another relay publishes too', { source });
      else logger.warn('the relay waits', { source, error: incident.error });
    },
  };
};

/** How far the feed was published, and the last place in each lane. Throws where the schema has no relay. */
export const readCheckpoint = async (database: Database): Promise<Checkpoint> => {
  const [row] = await database.read<CheckpointRow>(CHECKPOINT, []);
  if (row === undefined) throw new Error('there is no relay in this schema: run `taskwire migrate`');
  const { revision, era, tx, position } = row;
  const lanes = row.lanes.map(([topic, lane, laneEra, laneTx, lanePosition]): [string, FeedPosition] => [
    laneName(topic, lane),
    { era: laneEra, tx: laneTx, position: lanePosition },
  ]);
  return { revision, position: { era, tx, position }, lanes: new Map(lanes) };
};
/**
 * Sets a service's relay back to the beginning: all is published once more, and to whoever heard it these are twins. No
 * relay of the service may run, and its topics must hold nothing: a consumer stands still where something is missing, and
 * would not get to what comes behind that.
 */
export const rewindRelay = async (database: Database): Promise<void> => {
  const { era, tx, position } = FEED_START;
  await database.write(REWIND, [era, tx, position]);
};

const laneOfName = (name: string) => {
  const cut = name.lastIndexOf('/');
  return { topic: name.slice(0, cut), lane: Number(name.slice(cut + 1)) };
};
