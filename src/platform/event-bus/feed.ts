/** A service's whole feed as it lies, sealed and unparsed, private events too: for carrying it elsewhere. */
import type { FeedPosition } from '../event-store/event.ts';
import { laneOf } from '../event-store/lane.ts';
import { type Database, statement } from '../sql/database.ts';
import type { Delivery, Envelope } from './delivery.ts';

/** Bytes as they are stored, above which a read ends: with the largest events, thousands would not come within its time. */
const ENOUGH = 4 * 1024 * 1024;

const FEED = statement(
  'feed-sealed',
  `select era, tx::text, position, id, stream, version, topic, key, subject, type, schema_version as "schemaVersion",
     data::text, metadata::text, recorded_at as "recordedAt"
   from (select *, sum(pg_column_size(data)) over (order by era, tx, position rows unbounded preceding) - pg_column_size(data) as before
         from (select * from event
               where (era, tx, position) > ($1, $2::xid8, $3)
                 and (era < (select max(number) from era) or tx < pg_snapshot_xmin(pg_current_snapshot()))
               order by event.era, event.tx, event.position limit $4) next) sized
   where before < $5
   order by sized.era, sized.tx, sized.position`,
);
type FeedRow = Envelope & FeedPosition & Pick<Delivery, 'topic' | 'key'>;

/**
 * Up to `limit` committed events after a place, fewer where they are large, none where there is none; in commit order, and
 * never one that a later commit could come to lie before.
 * The lane follows from the key, whatever is written beside it: see log-bus.ts.
 */
export const readFeed = async (
  database: Pick<Database, 'read'>,
  { era, tx, position }: FeedPosition,
  limit: number,
): Promise<readonly Omit<Delivery, 'after'>[]> =>
  (await database.read<FeedRow>(FEED, [era, tx, position, limit, ENOUGH])).map(
    ({ topic, key, era, tx, position, ...envelope }) => ({
      topic,
      key,
      lane: laneOf(key),
      at: { era, tx, position },
      envelope,
    }),
  );
