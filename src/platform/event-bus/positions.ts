/** Where a consumer stands, as rows of its own database: read here, and written by the commit that has the effect. */
import type { RowWrite } from '../commit/commit.ts';
import { FEED_START, type FeedPosition } from '../event-store/event.ts';
import { type Database, statement } from '../sql/database.ts';
import type { Delivery, Envelope } from './delivery.ts';
import { type Change, type Lane, laneName, type ParkedKey, type Standing } from './lanes.ts';
import { PARKED_AT_ONCE } from './parking.ts';

/** A consumer at one source. */
export type Post = { readonly consumer: string; readonly source: string };

const STANDING = statement(
  'consumer-standing',
  `select registration, json_build_object('era', start_era, 'tx', start_tx::text, 'position', start_position) as start,
     coalesce((select json_agg(json_build_array(part, cursor)) from consumer_cursor c
       where c.consumer = s.consumer and c.source = s.source), '[]') as cursors,
     coalesce((select json_agg(json_build_object('topic', topic, 'lane', lane, 'revision', revision, 'position',
         json_build_object('era', era, 'tx', tx::text, 'position', position)))
       from consumer_lane l where l.consumer = s.consumer and l.source = s.source), '[]') as lanes,
     coalesce((select json_agg(json_build_array(topic, lane, key)) from parked_key p
       where p.consumer = s.consumer and p.source = s.source), '[]') as parked
   from consumer_source s where consumer = $1 and source = $2`,
);
type StandingRow = {
  readonly registration: string;
  readonly start: FeedPosition;
  readonly cursors: readonly (readonly [string, string])[];
  readonly lanes: readonly {
    readonly topic: string;
    readonly lane: number;
    readonly revision: number;
    readonly position: FeedPosition;
  }[];
  readonly parked: readonly (readonly [string, number, string])[];
};

/** One statement, and so one moment: lanes, what is parked in them and cursors agree. Throws where it is not registered. */
export const readStanding = async (database: Pick<Database, 'read'>, { consumer, source }: Post): Promise<Standing> => {
  const [row] = await database.read<StandingRow>(STANDING, [consumer, source]);
  if (row === undefined) throw new Error(`${consumer} is not registered for ${source}: it was retired`);
  const parked = Map.groupBy(row.parked, ([topic, lane]) => laneName(topic, lane));
  const lanes = row.lanes.map(({ topic, lane, revision, position }): [string, Lane] => {
    const name = laneName(topic, lane);
    return [name, { revision, position, parked: new Set(parked.get(name)?.map(([, , key]) => key)) }];
  });
  return { registration: row.registration, start: row.start, cursors: new Map(row.cursors), lanes: new Map(lanes) };
};

const REGISTERED = statement(
  'consumer-registration',
  'select 1 from consumer_source where consumer = $1 and source = $2 and registration = $3',
);
const MOVE = statement(
  'lane-move',
  `insert into consumer_lane (consumer, source, topic, lane, era, tx, position, revision)
   select $1, $2, topic, lane, era, tx, position, revision + 1
   from json_to_recordset($3::json) m(topic text, lane smallint, era integer, tx xid8, position bigint, revision integer)
   on conflict (consumer, source, topic, lane) do update
   set era = excluded.era, tx = excluded.tx, position = excluded.position, revision = excluded.revision,
     updated_at = clock_timestamp()
   where consumer_lane.revision = excluded.revision - 1`,
);
const FIRST_CURSORS = statement(
  'cursors-first',
  `insert into consumer_cursor (consumer, source, part, cursor)
   select $1, $2, part, "to" from json_to_recordset($3::json) m(part text, "to" text) order by part
   on conflict do nothing`,
);
const CURSORS = statement(
  'cursors-move',
  `update consumer_cursor c set cursor = m."to"
   from json_to_recordset($3::json) m(part text, "from" text, "to" text)
   where consumer = $1 and source = $2 and c.part = m.part and c.cursor = m."from"`,
);
const PARK_KEYS = statement(
  'park-keys',
  `insert into parked_key (consumer, source, topic, key, lane, cause, error, attempts, next_attempt_at)
   select $1, $2, topic, key, lane, cause, error, 1, clock_timestamp() + "retryIn" * interval '1 ms'
   from json_to_recordset($3::json) p(topic text, key text, lane smallint, cause text, error text, "retryIn" double precision)`,
);
const PARK_EVENTS = statement(
  'park-events',
  `insert into parked_event (consumer, source, topic, key, era, tx, position, lane, id, stream, version, subject, type,
     schema_version, data, metadata, recorded_at)
   select $1, $2, topic, key, era, tx, position, lane, id, stream, version, subject, type, "schemaVersion", data, metadata,
     "recordedAt"
   from json_to_recordset($3::json) p(topic text, key text, era integer, tx xid8, position bigint, lane smallint, id text,
     stream text, version integer, subject text, type text, "schemaVersion" integer, data text, metadata text,
     "recordedAt" timestamptz)`,
);
// One that was read before is parked already; who reads a topic again from its beginning must not stumble over it.
const PARK_STRAY_KEYS = statement(
  'park-stray-keys',
  `insert into parked_key (consumer, source, topic, key, lane, cause, error, attempts)
   select $1, $2, topic, key, lane, 'unreadable', error, 1
   from json_to_recordset($3::json) s(topic text, key text, lane smallint, error text)
   on conflict (consumer, source, topic, key) do update set error = excluded.error`,
);
const PARK_STRAYS = statement(
  'park-strays',
  `insert into parked_event (consumer, source, topic, key, era, tx, position, lane, id, stream, version, subject, type,
     schema_version, data, metadata, recorded_at)
   select $1, $2, topic, key, era, tx, position, lane, id, stream, version, subject, type, "schemaVersion", data, metadata,
     "recordedAt"
   from json_to_recordset($3::json) s(topic text, key text, era integer, tx xid8, position bigint, lane smallint, id text,
     stream text, version integer, subject text, type text, "schemaVersion" integer, data text, metadata text,
     "recordedAt" timestamptz)
   on conflict (consumer, source, topic, key, era, tx, position) do update set data = excluded.data`,
);
const SETTLE_EVENTS = statement(
  'parked-settle',
  `delete from parked_event e using json_to_recordset($5::json) s(era integer, tx xid8, position bigint)
   where e.consumer = $1 and e.source = $2 and e.topic = $3 and e.key = $4
     and e.era = s.era and e.tx = s.tx and e.position = s.position`,
);
const SETTLE_KEY = statement(
  'parked-settle-key',
  'delete from parked_key where consumer = $1 and source = $2 and topic = $3 and key = $4',
);
const NEXT_OF_KEY = statement(
  'parked-next',
  `update parked_key set attempts = 0, next_attempt_at = clock_timestamp()
   where consumer = $1 and source = $2 and topic = $3 and key = $4`,
);
const POSTPONE = statement(
  'parked-postpone',
  `update parked_key set attempts = attempts + 1, cause = $5, error = $6,
     next_attempt_at = clock_timestamp() + $7::double precision * interval '1 ms'
   where consumer = $1 and source = $2 and topic = $3 and key = $4`,
);

/**
 * A change as writes of a commit. Where another process changed a lane or cursor since, or the consumer was registered anew,
 * the commit misses, and nothing happens.
 */
export const changeWrites = (
  { consumer, source }: Post,
  registration: string | undefined,
  change: Change,
): readonly RowWrite[] => {
  const { moves, cursors = [], park, queue, settle, postpone, strays = [] } = change;
  const writes: RowWrite[] = [{ statement: REGISTERED, values: [consumer, source, registration], expect: 1 }];
  const set = (text: ReturnType<typeof statement>, values: readonly object[]): void => {
    if (values.length > 0)
      writes.push({ statement: text, values: [consumer, source, JSON.stringify(values)], expect: values.length });
  };
  set(
    MOVE,
    moves.map(({ topic, lane, revision, to }) => ({ topic, lane, revision, ...to })),
  );
  set(
    FIRST_CURSORS,
    cursors.filter(({ from }) => from === undefined),
  );
  set(
    CURSORS,
    cursors.filter(({ from }) => from !== undefined),
  );
  set(
    PARK_KEYS,
    park.map(({ delivery: { topic, key, lane }, fault, retryIn }) => ({ topic, key, lane, ...fault, retryIn })),
  );
  set(PARK_EVENTS, [...park.map(({ delivery }) => delivery), ...queue].map(asParked));
  set(
    PARK_STRAY_KEYS,
    strays.map(({ topic, key, lane, error }) => ({ topic, key, lane, error })),
  );
  set(PARK_STRAYS, strays.map(asParked));
  if (settle) {
    const key = [consumer, source, settle.key.topic, settle.key.key];
    const places = JSON.stringify(settle.deliveries.map(({ at }) => at));
    writes.push({ statement: SETTLE_EVENTS, values: [...key, places], expect: settle.deliveries.length });
    writes.push({ statement: settle.emptied ? SETTLE_KEY : NEXT_OF_KEY, values: key, expect: 1 });
  }
  if (postpone) {
    const { key, fault, retryIn } = postpone;
    const values = [consumer, source, key.topic, key.key, fault.cause, fault.error, retryIn];
    writes.push({ statement: POSTPONE, values, expect: 1 });
  }
  return writes;
};

const asParked = ({ topic, key, lane, at, envelope }: Omit<Delivery, 'after'>) => ({
  topic,
  key,
  lane,
  ...at,
  ...envelope,
});

// A wait that is longer than any of ours comes from a clock that was set back since. What this release did not know may
// be known by the one that asks.
const DUE = statement(
  'parked-due',
  `select p.topic, p.lane, p.key, p.attempts from parked_key p
   where p.consumer = $1 and p.source = $2 and (
     p.next_attempt_at <= now() or p.next_attempt_at > now() + interval '15 minutes' or p.cause = 'unknown' and exists (
       select from json_each_text($3::json) known(type, version) where (known.type, known.version::integer) in (
         select e.type, greatest(e.schema_version, known.version::integer) from parked_event e
         where (e.consumer, e.source, e.topic, e.key) = (p.consumer, p.source, p.topic, p.key)
         order by e.era, e.tx, e.position limit 1)))
     and ($4::json is null or (p.topic, p.lane) in (
       select topic, lane from json_to_recordset($4::json) o(topic text, lane smallint)))
   order by p.next_attempt_at limit 20`,
);
/**
 * Parked keys whose next attempt is due. `known`: the types that this process knows, and their versions; `owned`: the
 * lanes that it reads, where it shares them with others.
 */
export const dueKeys = (
  database: Database,
  { consumer, source }: Post,
  known: Readonly<Record<string, number>>,
  owned?: readonly Pick<Delivery, 'topic' | 'lane'>[],
): Promise<readonly ParkedKey[]> =>
  database.read<ParkedKey>(DUE, [consumer, source, JSON.stringify(known), owned && JSON.stringify(owned)]);

const PARKED = statement(
  'parked-of-key',
  `select topic, lane, key, era, tx::text, position, id, stream, version, subject, type, schema_version as "schemaVersion",
     data, metadata, recorded_at as "recordedAt"
   from parked_event where consumer = $1 and source = $2 and topic = $3 and key = $4 and (era, tx, position) > ($6, $7::xid8, $8)
   order by parked_event.era, parked_event.tx, parked_event.position limit $5`,
);
type ParkedRow = Omit<Delivery, 'at' | 'after' | 'envelope'> & FeedPosition & Envelope;
/** What is parked of a key (after a place, where one is named), the oldest first; up to PARKED_AT_ONCE of it. */
export const parkedDeliveries = async (
  database: Database,
  { consumer, source }: Post,
  { topic, key }: Pick<ParkedKey, 'topic' | 'key'>,
  { era, tx, position }: FeedPosition = FEED_START,
): Promise<readonly Delivery[]> => {
  const values = [consumer, source, topic, key, PARKED_AT_ONCE, era, tx, position];
  const rows = await database.read<ParkedRow>(PARKED, values);
  return rows.map(deliveryOf);
};

/** A row that carries an envelope and its place, as the delivery that it was. */
const deliveryOf = (row: ParkedRow): Delivery => {
  const { topic, lane, key, era, tx, position, ...envelope } = row;
  const at = { era, tx, position };
  return { topic, lane, key, at, after: at, envelope };
};
