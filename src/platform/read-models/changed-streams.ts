/** Which streams got events since one looked last: none is missed, whoever committed in between or commits late. */
import { CURRENT_ERA } from '../event-store/store.ts';
import { type Session, statement } from '../sql/database.ts';
import { streamRange } from './replay.ts';

/** A moment in the life of a store: what was committed then is told by the snapshot, not by a clock or a sequence. */
export type Moment = { readonly era: number; readonly snapshot: string };

const NOW = 'select pg_current_snapshot()::text as snapshot';

/** What is committed as this session looks now. Throws where the store does not tell. */
export const momentNow = async (session: Session): Promise<Moment> => {
  const [era, now] = await Promise.all([
    session.query<{ era: number }>(CURRENT_ERA),
    session.query<{ snapshot: string }>(NOW),
  ]);
  if (era.rows[0] === undefined || now.rows[0] === undefined) throw new Error('the store does not tell the moment');
  return { ...era.rows[0], ...now.rows[0] };
};

// What a snapshot did not show: transactions that were under way, and those that had not begun. Two look-ups in the
// index of the feed, however long somebody holds a transaction open; "from its xmin on" would read all since then.
// Without `offset 0` the planner prefers the index over streams, and reads all of them (170 ms of 180,000 events).
const CHANGED = statement(
  'changed-streams',
  `select pg_current_snapshot()::text as snapshot, (
     select coalesce(json_agg(distinct stream), '[]') from (
       (select stream from event where era = $1 and tx >= pg_snapshot_xmax($2::pg_snapshot) offset 0)
       union all
       select stream from pg_snapshot_xip($2::pg_snapshot) under_way(tx)
         cross join lateral (select stream from event where era = $1 and event.tx = under_way.tx offset 0) theirs
     ) appended where stream > $3 and stream < $4) as streams`,
);

/** The streams of a prefix with events that were not there at that moment, and the moment at which this was so. */
export const changedSince = async (
  session: Session,
  { era, snapshot }: Moment,
  prefix: string,
): Promise<{ readonly streams: readonly string[]; readonly now: Moment }> => {
  const { rows } = await session.query<{ streams: readonly string[]; snapshot: string }>(CHANGED, [
    era,
    snapshot,
    ...streamRange(prefix),
  ]);
  if (rows[0] === undefined) throw new Error('the store does not tell what changed');
  return { streams: rows[0].streams, now: { era, snapshot: rows[0].snapshot } };
};
