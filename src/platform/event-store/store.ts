/** Reading a service's event store: one stream in order, or all of it in commit order. Writing is the commit's. */
import type { Event } from '../decider.ts';
import type { KeyRing } from '../keys/key-ring.ts';
import { type Database, statement } from '../sql/database.ts';
import type { EventCatalog } from './catalog.ts';
import { openEvent } from './codec.ts';
import type { FeedPosition, Metadata, RecordedEvent, StoredEvent } from './event.ts';
import { type Published, publishedOf } from './published.ts';

export type EventStore = {
  /** The events of one stream after a version (0 = from its birth), opened and upcast; empty where there is none. */
  load(stream: string, after?: number): Promise<readonly RecordedEvent[]>;
  /** The same of several streams at once, from their births; a stream that is not there has none. */
  loadMany(streams: readonly string[]): Promise<ReadonlyMap<string, readonly RecordedEvent[]>>;
  /**
   * Committed events after a position, in commit order, sealed as they lie. Never skips one that commits later: what
   * is not below every running transaction is not shown yet, so an open writing transaction holds the feed back.
   */
  feed(after: FeedPosition, limit: number): Promise<readonly StoredEvent[]>;
  /** The newest events that `feed` would show, oldest of them first. */
  newest(limit: number): Promise<readonly StoredEvent[]>;
  /**
   * Where the public events lie of the request that brought a stream to this version: of all that it wrote itself, in
   * however many commits, and nothing of what came of it later. undefined where there are none.
   */
  publishedWith(stream: string, version: number): Promise<Published | undefined>;
  /** One stream as it lies. */
  sealed(stream: string): Promise<readonly StoredEvent[]>;
  /** Everything that one request led to in this store, at once or later: up to `limit` events, the oldest first. */
  correlated(correlationId: string, limit: number): Promise<readonly StoredEvent[]>;
  /** One event by its id. */
  find(id: string): Promise<StoredEvent | undefined>;
  /** Opens what `feed` gave. */
  open(events: readonly StoredEvent[]): Promise<readonly RecordedEvent[]>;
};

const COLUMNS = `era, tx::text, position, id, stream, version, topic, key, lane, subject, type,
  schema_version as "schemaVersion", data, metadata, recorded_at as "recordedAt"`;
const LOAD = statement(
  'event-load',
  `select ${COLUMNS} from event where stream = $1 and version > $2 order by version`,
);
const LOAD_MANY = statement(
  'event-load-many',
  `select ${COLUMNS} from event where stream = any($1) order by stream, version`,
);
// A cursor on the sequence alone would lose events: positions are given before, and become visible after, one another.
const VISIBLE = `(era < (select max(number) from era) or tx < pg_snapshot_xmin(pg_current_snapshot()))`;
const FEED = statement(
  'event-feed',
  `select ${COLUMNS} from event where (era, tx, position) > ($1, $2::xid8, $3) and ${VISIBLE}
   order by event.era, event.tx, event.position limit $4`,
);
/**
 * The era of the cluster that answers, and the store's life there: another one after each restart of the server, in
 * another database, and in another era.
 */
export const CURRENT_ERA = statement(
  'current-era',
  `select era, concat_ws(' ', era, d.oid, extract(epoch from pg_postmaster_start_time())) as life
   from current_era() era, pg_database d where d.datname = current_database()`,
);
const NEWEST = statement(
  'event-newest',
  `select * from (
     select ${COLUMNS} from event where ${VISIBLE} order by event.era desc, event.tx desc, event.position desc limit $1
   ) newest order by era, tx::xid8, position`,
);
// Found first, then put in order: in one step, the planner may walk the whole store in its order to find a handful.
const CORRELATED = statement(
  'event-correlated',
  `with found as materialized (select * from event where (metadata ->> 'correlationId')::uuid = $1)
   select ${COLUMNS} from found order by found.era, found.tx, found.position limit $2`,
);
const FIND = statement('event-find', `select ${COLUMNS} from event where id = $1`);
const PUBLISHED_WITH = statement(
  'event-published-with',
  `with written as (
     select e.topic, e.lane, e.era, e.tx, e.position from event known
     join event e on (e.metadata ->> 'correlationId')::uuid = (known.metadata ->> 'correlationId')::uuid
       and e.metadata ->> 'causationId' = known.metadata ->> 'causationId' and e.topic not like '%.private'
     where known.stream = $1 and known.version = $2)
   (select topic, lane, era, tx::text, position from written order by written.era, written.tx, written.position limit 1)
   union all
   (select distinct on (topic, lane) topic, lane, era, tx::text, position from written
    order by topic, lane, written.era desc, written.tx desc, written.position desc)`,
);

type Row = Omit<StoredEvent, 'at' | 'metadata'> & FeedPosition & { readonly metadata: Metadata };
type PublishedRow = FeedPosition & { readonly topic: string; readonly lane: number };
const stored = ({ era, tx, position, ...event }: Row): StoredEvent => ({ ...event, at: { era, tx, position } });

/** Reads alone: what is appended goes through the executor. Opens the era of today’s cluster before its first read. */
export const openEventStore = (database: Database, catalog: EventCatalog, keys: KeyRing): EventStore => {
  // After a restore the old cluster's transaction ids may lie beyond this one's: the era that tells them apart is opened
  // by whoever comes first, reader or writer.
  let era: Promise<unknown> | undefined;
  const inTodaysEra = async (): Promise<void> => {
    era ??= database.write(CURRENT_ERA, []);
    try {
      await era;
    } catch (error) {
      era = undefined;
      throw error;
    }
  };
  const open = async (events: readonly StoredEvent[]): Promise<readonly RecordedEvent[]> => {
    const keyOf = await keys.keysOf(events.map(({ subject }) => subject));
    return events.map((event) => openEvent(catalog, event, keyOf));
  };
  return {
    open,
    load: async (stream, after = 0) => open((await database.read<Row>(LOAD, [stream, after])).map(stored)),
    loadMany: async (streams) => {
      const loaded = (await database.read<Row>(LOAD_MANY, [streams])).map(stored);
      const opened = await open(loaded);
      return Map.groupBy(opened, (_, n) => loaded[n]?.stream ?? '');
    },
    feed: async ({ era, tx, position }, limit) => {
      await inTodaysEra();
      return (await database.read<Row>(FEED, [era, tx, position, limit])).map(stored);
    },
    newest: async (limit) => {
      await inTodaysEra();
      return (await database.read<Row>(NEWEST, [limit])).map(stored);
    },
    publishedWith: async (stream, version) => {
      const rows = await database.read<PublishedRow>(PUBLISHED_WITH, [stream, version]);
      return publishedOf(rows.map(({ topic, lane, ...at }) => ({ topic, lane, at })));
    },
    correlated: async (correlationId, limit) =>
      (await database.read<Row>(CORRELATED, [correlationId, limit])).map(stored),
    find: async (id) => (await database.read<Row>(FIND, [id])).map(stored)[0],
    sealed: async (stream) => (await database.read<Row>(LOAD, [stream, 0])).map(stored),
  };
};

/** The events of one aggregate's type, as its folds take them: what a service writes into a stream is what it reads. */
export const eventsOf = <E extends Event>(recorded: readonly RecordedEvent[]): readonly RecordedEvent<E>[] =>
  recorded as readonly RecordedEvent<E>[];
