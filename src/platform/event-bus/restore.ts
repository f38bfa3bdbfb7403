/**
 * Bringing back to a store what the bus holds of it and the store lacks: after the store was set back to an earlier
 * moment. Events keep their ids, versions and places in the feed; the store begins a new life behind them, so that what is
 * written from now on comes after all of it; and the relay's checkpoint is set to where the bus ends, so that nothing is
 * published again, and nothing skipped.
 *
 *   look      every event of the bus against the store: what is missing, what contradicts it, whether anything lies between
 *   insert    what is missing, some hundred at a time, each time in a transaction of its own: run it again, and it goes on
 *   new life  the era, the sequence of positions, the checkpoint
 *
 * The service must not run meanwhile; that it does not is for the caller to see to.
 */
import { comparePositions, FEED_START, type FeedPosition } from '../event-store/event.ts';
import { type Session, statement } from '../sql/database.ts';
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
const NEW_LIFE = statement(
  'restore-new-life',
  `with newest as (select * from era order by number desc limit 1)
   insert into era (number, system_identifier, timeline)
   select greatest(number, (select coalesce(max(era), 0) from event)) + 1, system_identifier, timeline from newest
   returning number`,
);
const BEHIND_ALL = statement(
  'restore-sequence',
  `select setval(pg_get_serial_sequence('event', 'position'), greatest((select coalesce(max(position), 1) from event), 1))`,
);
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

/** `session`: the owner's, in the service's schema. Rejects with RestoreRefused before anything is changed. */
export const restoreFromBus = async (
  session: Session,
  eventsOfBus: EventsOfBus,
  progress: (step: 'look' | 'insert', events: number) => void,
): Promise<RestoreReport> => {
  const found = await look(session, eventsOfBus, (events) => progress('look', events));
  let inserted = 0;
  if (found.missing > 0)
    for await (const events of inPieces(eventsOfBus())) {
      inserted += (await session.query(INSERT, [JSON.stringify(events.map(asRow))])).count;
      progress('insert', inserted);
    }
  await session.query('begin');
  await session.query(NEW_LIFE);
  await session.query(BEHIND_ALL);
  const { era, tx, position } = found.end;
  await session.query(CHECKPOINT, [era, tx, position]);
  await session.query(NO_LANES);
  const lanes = [...found.lanes.values()].map(({ topic, lane, at }) => ({ topic, lane, ...at }));
  await session.query(LANES, [JSON.stringify(lanes)]);
  await session.query('commit');
  return { onBus: found.count, inserted, streams: [...found.versions.keys()] };
};

type Found = {
  readonly count: number;
  readonly missing: number;
  /** The bus's last event, and that of each lane. */
  readonly end: FeedPosition;
  readonly lanes: ReadonlyMap<string, Pick<Delivery, 'topic' | 'lane' | 'at'>>;
  /** Of each stream the versions that are not in the store. */
  readonly versions: ReadonlyMap<string, readonly number[]>;
};

const look = async (session: Session, eventsOfBus: EventsOfBus, progress: (events: number) => void): Promise<Found> => {
  let [count, missing] = [0, 0];
  let end = FEED_START;
  const lanes = new Map<string, Pick<Delivery, 'topic' | 'lane' | 'at'>>();
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
      lanes.set(laneName(topic, lane), { topic, lane, at });
      if (comparePositions(at, end) > 0) end = at;
    }
    count += events.length;
    progress(count);
  }
  await refuseGaps(session, versions);
  return { count, missing, end, lanes, versions };
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
