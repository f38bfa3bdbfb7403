/** Where consumers stand, for people: what the database of their service and the sources say at this moment. */
import { type Database, statement } from '../sql/database.ts';
import type { EventBus, Lag } from './bus.ts';
import type { Consumer } from './consumer.ts';
import { type Post, readStanding } from './positions.ts';

export type Stand = {
  /** How far it has read, in the bus's own terms. */
  readonly position: string;
  readonly lag: Lag;
  readonly parkedKeys: number;
};

/** Where a registered consumer stands in a source. */
export const standOf = async (database: Database, bus: EventBus, post: Post): Promise<Stand> => {
  const standing = await readStanding(database, post);
  const lag = await bus.lag(post.source, standing);
  const parkedKeys = standing.lanes.values().reduce((sum, { parked }) => sum + parked.size, 0);
  return { position: [...standing.cursors.values()].join(' ') || 'at its beginning', lag, parkedKeys };
};

const PARKED = statement(
  'parked-ages',
  `select consumer, source, count(*)::integer as keys, extract(epoch from now() - min(parked_at))::float8 as seconds
   from parked_key group by consumer, source`,
);
type ParkedOf = Post & { readonly keys: number; readonly seconds: number };
/** How many keys each consumer has parked, and since when the oldest; those that have none are missing. */
export const parkedKeys = (database: Database): Promise<readonly ParkedOf[]> => database.read<ParkedOf>(PARKED, []);

/** A consumer at one of its sources, as the database knows it; without a source where it has never looked at one. */
export type RegisteredPost = {
  readonly consumer: string;
  readonly source: string | null;
  readonly begins: Consumer['begins'];
  /** RFC 3339, by the database's clock. */
  readonly registeredAt: string;
  /** The process that reads for it at this moment, and until when nobody else does; null = nobody. */
  readonly holder: string | null;
  readonly heldUntil: string | null;
};
const REGISTERED = statement(
  'consumers-overview',
  `select c.name as consumer, s.source, c.begins, c.registered_at as "registeredAt", l.holder, l.until as "heldUntil"
   from consumer c
     left join consumer_source s on s.consumer = c.name
     left join consumer_lease l on l.consumer = c.name and l.source = s.source and l.until > now()
   order by c.name, s.source`,
);
/** All consumers that are registered in a service's database, declared or not. */
export const registeredPosts = (database: Database): Promise<readonly RegisteredPost[]> =>
  database.read<RegisteredPost>(REGISTERED, []);
