/**
 * Bringing back to a store what the bus holds of it and the store lacks: after the store was set back to an earlier
 * moment, or lost altogether. Events keep their ids, versions and places in the feed; the store begins a new life behind
 * them, so that what is written from now on comes after all of it; and the relay goes on where the bus lacks something.
 *
 *   look      every event of the bus against the store: what is missing, what contradicts it, whether anything lies between
 *   begin     until all has ended, a service that has a broker neither writes nor publishes: see set-back.ts
 *   new life  an era after all of them
 *   insert    what is missing, some hundred at a time, each time in a transaction of its own: run it again, and it goes on
 *   match     the store against the bus, in the feed's order: the relay's checkpoint is the last place up to which all is
 *             on the bus
 *   end       once rows were made of what came back, which is the caller's: see endRestore
 *
 * A send goes to several leaders, and some of them may have taken their part and others not. So the bus may have an event
 * and lack one before it: what is published from there on are twins, but for that one. Their predecessors are what they were, for
 * they follow from the store, which has all of it again.
 *
 * The service must not run meanwhile; that it does not is for the caller to see to.
 */
import { comparePositions, FEED_START, type FeedPosition } from '../event-store/event.ts';
import { laneOf } from '../event-store/lane.ts';
import { type Database, type Session, statement } from '../sql/database.ts';
import type { Delivery } from './delivery.ts';
import { laneName } from './lanes.ts';

export type RestoreReport = {
  readonly onBus: number;
  readonly inserted: number;
  /** Whose events came back: their rows must be made anew. */
  readonly streams: readonly string[];
};
/** The bus and the store tell different stories of a stream; nothing was changed. */
class RestoreRefused extends Error {
  override readonly name = 'RestoreRefused';
}

type EventsOfBus = () => AsyncIterable<readonly Delivery[]>;
const AT_ONCE = 500;
const AT_A_GLANCE = 5_000;

const COMPARE = statement(
  'restore-compare',
  `select o.n, e.id is not null as here, e.id is null and v.id is not null as contradicted
   from json_to_recordset($1::json) o(n integer, id uuid, stream text, version integer)
     left join event e on e.id = o.id
     left join event v on v.stream = o.stream and v.version = o.version`,
);
type Compared = { readonly n: number; readonly here: boolean; readonly contradicted: boolean };
const HIGHEST = statement(
  'restore-highest',
  'select stream, max(version)::integer as version from event where stream = any($1) group by stream',
);
const INSERT = statement(
  'restore-insert',
  `insert into event (era, tx, position, id, stream, version, topic, key, lane, subject, type, schema_version, data, metadata,
     recorded_at)
   overriding system value
   select era, tx, position, id, stream, version, topic, key, lane, subject, type, "schemaVersion", data::json, metadata::jsonb,
     "recordedAt"
   from json_to_recordset($1::json) o(era integer, tx xid8, position bigint, id uuid, stream text, version integer, topic text,
     key text, lane smallint, subject text, type text, "schemaVersion" smallint, data text, metadata text, "recordedAt" timestamptz)
   order by era, tx, position
   on conflict (id) do nothing returning 1`,
);
// A store that nobody has asked yet has no era at all.
const THIS_CLUSTER = statement('restore-this-cluster', 'select current_era()');
const BEGIN = statement('restore-begin', 'update relay set restoring = true, seen_life = null returning 1');
const END = statement('restore-end', 'update relay set restoring = false returning 1');
const NEW_LIFE = statement(
  'restore-new-life',
  `insert into era (number, system_identifier, timeline)
   select greatest(number, (select max(era) from event), $1) + 1, system_identifier, timeline
   from era order by number desc limit 1
   returning number`,
);
const BEHIND_ALL = statement(
  'restore-sequence',
  `select setval(pg_get_serial_sequence('event', 'position'), greatest((select coalesce(max(position), 1) from event), 1))`,
);
const NEXT = statement(
  'restore-next',
  `select era, tx::text, position, topic, key from event where (era, tx, position) > ($1, $2::xid8, $3)
   order by event.era, event.tx, event.position limit $4`,
);
type Next = FeedPosition & { readonly topic: string; readonly key: string };
const CHECKPOINT = statement(
  'restore-checkpoint',
  `update relay set revision = revision + 1, era = $1, tx = $2::xid8, position = $3, seen_life = null,
     updated_at = clock_timestamp() returning 1`,
);
const NO_LANES = statement('restore-no-lanes', 'delete from relay_lane');
const LANES = statement(
  'restore-lanes',
  `insert into relay_lane (topic, lane, era, tx, position)
   select topic, lane, era, tx, position
   from json_to_recordset($1::json) l(topic text, lane smallint, era integer, tx xid8, position bigint)`,
);

const RUNNING = statement(
  'restore-running',
  `select count(*)::integer as count from pg_stat_activity
   where datname = current_database() and application_name in ($1, $2) and pid <> pg_backend_pid()`,
);
/** Whether any process of a service is connected, as far as this login may see. */
export const isRunning = async (session: Session, service: string): Promise<boolean> => {
  const names = [`taskwire ${service}`, `taskwire ${service} relay`];
  const { rows } = await session.query<{ count: number }>(RUNNING, names);
  return (rows[0]?.count ?? 0) > 0;
};

/**
 * `session`: the owner's, in the service's schema. Rejects with RestoreRefused before anything is changed. Where it is
 * broken off, and until `endRestore`, it must be run again.
 */
export const restoreFromBus = async (
  session: Session,
  eventsOfBus: EventsOfBus,
  progress: (step: 'look' | 'insert' | 'match', events: number) => void,
): Promise<RestoreReport> => {
  const found = await look(session, eventsOfBus, (events) => progress('look', events));
  await session.query(BEGIN);
  await openNewLife(session, found.newestEra); // first: whatever is written after a run that was broken off comes after it
  let inserted = 0;
  if (found.missing > 0)
    for await (const events of inPieces(eventsOfBus())) {
      inserted += (await session.query(INSERT, [JSON.stringify(events.map(asRow))])).count;
      progress('insert', inserted);
    }
  const { position: at, lanes } = await match(session, found.ends, (events) => progress('match', events));
  await session.query('begin');
  await session.query(BEHIND_ALL);
  await session.query(CHECKPOINT, [at.era, at.tx, at.position]);
  await session.query(NO_LANES);
  await session.query(LANES, [JSON.stringify([...lanes.values()])]);
  await session.query('commit');
  return { onBus: found.count, inserted, streams: [...found.versions.keys()] };
};

/** To be called once the rows of what came back were made: the service may begin. */
export const endRestore = async (database: Pick<Database, 'write'>): Promise<void> => {
  await database.write(END, []);
};

type Found = {
  readonly count: number;
  readonly missing: number;
  readonly newestEra: number;
  /** The bus's last event of each lane. */
  readonly ends: ReadonlyMap<string, FeedPosition>;
  /** Of each stream the versions that are not in the store. */
  readonly versions: ReadonlyMap<string, readonly number[]>;
};

const look = async (session: Session, eventsOfBus: EventsOfBus, progress: (events: number) => void): Promise<Found> => {
  let [count, missing, newestEra] = [0, 0, 0];
  const ends = new Map<string, FeedPosition>();
  const versions = new Map<string, number[]>();
  for await (const events of inPieces(eventsOfBus())) {
    const asked = events.map(({ envelope: { id, stream, version } }, n) => ({ n, id, stream, version }));
    const { rows } = await session.query<Compared>(COMPARE, [JSON.stringify(asked)]);
    for (const { n, here, contradicted } of rows) {
      const event = events[n];
      if (event === undefined || here) continue;
      const { stream, version } = event.envelope;
      if (contradicted)
        throw new RestoreRefused(
          `${stream}@${version} is another event in the store than on the bus: it was written to after it was set back`,
        );
      missing += 1;
      versions.set(stream, [...(versions.get(stream) ?? []), version]);
    }
    for (const { topic, lane, at } of events) {
      ends.set(laneName(topic, lane), at);
      newestEra = Math.max(newestEra, at.era);
    }
    count += events.length;
    progress(count);
  }
  await refuseGaps(session, versions);
  return { count, missing, newestEra, ends, versions };
};

/** An era after those of this cluster, of the store, and of the bus. */
const openNewLife = async (session: Session, newestOnBus: number): Promise<void> => {
  await session.query(THIS_CLUSTER);
  const { rows } = await session.query<{ number: number }>(NEW_LIFE, [newestOnBus]);
  if (rows.length !== 1) throw new Error('the store opened no new era');
};

type LaneEnd = FeedPosition & { readonly topic: string; readonly lane: number };
/**
 * The last place up to which the bus has all that the store has, and the last event of each lane there. Of a lane the bus
 * keeps nothing without what is before it, so that its last event tells. By the lanes that the relay goes by: see readFeed.
 */
const match = async (
  session: Session,
  ends: Found['ends'],
  progress: (events: number) => void,
): Promise<{ readonly position: FeedPosition; readonly lanes: ReadonlyMap<string, LaneEnd> }> => {
  const lanes = new Map<string, LaneEnd>();
  let [position, count] = [FEED_START, 0];
  for (;;) {
    const { era, tx, position: after } = position;
    const { rows } = await session.query<Next>(NEXT, [era, tx, after, AT_A_GLANCE]);
    for (const { topic, key, ...at } of rows) {
      const lane = laneOf(key);
      const name = laneName(topic, lane);
      if (comparePositions(at, ends.get(name) ?? FEED_START) > 0) return { position, lanes };
      position = at;
      lanes.set(name, { topic, lane, ...at });
    }
    if (rows.length === 0) return { position, lanes };
    count += rows.length;
    progress(count);
  }
};

/** What comes back to a stream must go on from what it has. */
const refuseGaps = async (session: Session, versions: ReadonlyMap<string, readonly number[]>): Promise<void> => {
  const { rows } = await session.query<{ stream: string; version: number }>(HIGHEST, [[...versions.keys()]]);
  const highest = new Map(rows.map(({ stream, version }) => [stream, version]));
  for (const [stream, missing] of versions) {
    const has = highest.get(stream) ?? 0;
    const wanted = missing.toSorted((one, other) => one - other);
    const gap = wanted.findIndex((version, n) => version !== has + 1 + n);
    if (gap !== -1) throw new RestoreRefused(`${stream}@${has + 1 + gap} is neither in the store nor on the bus`);
  }
};

const inPieces = async function* (pieces: AsyncIterable<readonly Delivery[]>): AsyncGenerator<readonly Delivery[]> {
  for await (const piece of pieces)
    for (let from = 0; from < piece.length; from += AT_ONCE) yield piece.slice(from, from + AT_ONCE);
};

const asRow = ({ topic, lane, key, at, envelope }: Delivery) => ({ topic, lane, key, ...at, ...envelope });
