/**
 * In a consumer's footsteps: hears again, in their order, just the events that the consumer has dealt with. An event
 * counts once its lane stands at it or behind it, and it is not parked; what is parked when we come by counts once it is
 * not so any more, before all that follows it.
 */
import { comparePositions, type FeedPosition, positionText } from '../event-store/event.ts';
import { type Database, statement } from '../sql/database.ts';
import type { BusReader } from './bus.ts';
import type { Delivery } from './delivery.ts';
import { type CursorMove, cursorsAfter, Gap, laneAt, laneName, type Standing } from './lanes.ts';
import { type Post, readStanding } from './positions.ts';

/** What is new of them up to where the consumer stands when this is called, slice by slice. May be left half-way. */
export type Follower = () => AsyncGenerator<readonly Delivery[], void>;

const PARKED = statement(
  'follow-parked',
  'select era, tx::text, position from parked_event where consumer = $1 and source = $2',
);

/** Throws Gap, where something is missing on the bus that the consumer must have seen on another one. */
export const follow = (database: Pick<Database, 'read'>, reader: Pick<BusReader, 'next'>, post: Post): Follower => {
  let own: Standing | undefined;
  /** Read, and not dealt with by the consumer when we asked: the parts of a bus do not lie side by side. */
  let ahead: readonly Delivery[] = [];
  let waiting: readonly Delivery[] = [];
  return async function* () {
    // In this order: what is parked between the two looks lies behind where the consumer stood at the first.
    const live = await readStanding(database, post);
    const rows = await database.read<FeedPosition>(PARKED, [post.consumer, post.source]);
    const parked = new Set(rows.map(positionText));
    const isParked = ({ at }: Delivery): boolean => parked.has(positionText(at));
    const isDealtWith = ({ topic, lane, at }: Delivery): boolean =>
      comparePositions(at, laneAt(live, topic, lane).position) <= 0;
    const due = (): readonly Delivery[] => {
      const seen = [...waiting, ...ahead.filter(isDealtWith)];
      ahead = ahead.filter((one) => !isDealtWith(one));
      waiting = seen.filter(isParked);
      return seen.filter((one) => !isParked(one));
    };

    own ??= { start: live.start, cursors: new Map(), lanes: new Map() };
    yield due();
    while (isBehind(own, live)) {
      const { deliveries, cursors } = await reader.next(own);
      const { standing, fresh } = passed(own, deliveries, cursors);
      own = standing;
      ahead = [...ahead, ...fresh];
      yield due();
    }
  };
};

/** Whether there is something between us and the consumer. */
const isBehind = (own: Standing, live: Standing): boolean =>
  live.lanes.entries().some(([name, { position }]) => {
    const passed = own.lanes.get(name)?.position ?? own.start;
    return comparePositions(passed, position) < 0;
  });

/** A lane's events as they follow each other; twins are left out, as the consumer does. */
const passed = (own: Standing, deliveries: readonly Delivery[], cursors: readonly CursorMove[]) => {
  const standing = { ...own, lanes: new Map(own.lanes) };
  const fresh = deliveries.filter((delivery) => {
    const { topic, lane, at, after } = delivery;
    const { position } = laneAt(standing, topic, lane);
    if (comparePositions(at, position) <= 0) return false;
    if (comparePositions(after, position) > 0) throw new Gap(delivery, position);
    standing.lanes.set(laneName(topic, lane), { position: at, revision: 0, parked: new Set() });
    return true;
  });
  return { standing: { ...standing, cursors: cursorsAfter(own, cursors) }, fresh };
};
