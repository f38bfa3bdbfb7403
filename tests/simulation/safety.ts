/**
 * What must never happen, looked at in the moment of each commit, append and send. It knows the whole world, but nothing
 * of how any of it is prevented: it keeps its own books of what was written, handled, published and claimed.
 */
import type { Delivery } from '../../src/platform/event-bus/delivery.ts';
import { laneName } from '../../src/platform/event-bus/lanes.ts';
import type { Checkpoint } from '../../src/platform/event-bus/relay.ts';
import { FEED_START } from '../../src/platform/event-store/event.ts';
import type { Hearer } from './config.ts';
import type { Database, Observer, PostRows } from './database.ts';
import { orderOf, type Written } from './store.ts';

/** The rules of consumers and relays; those of work are in work-safety.ts. */
export type Rule =
  | 'an event has its effect once'
  | 'events of a key have their effects in order'
  | 'a lane passes no event that was not dealt with'
  | 'a cursor passes nothing that its lanes did not'
  | 'what is parked is not lost'
  | 'a row has every event that it was folded from'
  | 'first copies of a lane come in order, without gaps'
  | 'a predecessor is the predecessor'
  | 'a checkpoint passes nothing that is not on the bus';

/** Events of one lane, or of one key, in the order of the feed. */
type Line = Written[];
const insert = (line: Line, event: Written): void => {
  const at = line.findLastIndex(({ order }) => order < event.order) + 1;
  line.splice(at, 0, event);
};

type Life = { readonly handled: Set<string>; readonly discarded: Set<string>; readonly start: number };

export type Fail<R> = (rule: R, text: string) => void;
export type Safety = ReturnType<typeof createSafety>;

/** `before`: what lies before a cursor of a part of a source's bus. */
type Before = (source: string, part: string, cursor: string) => readonly Written[];

export const createSafety = (fail: Fail<Rule>, hearerOf: (consumer: string) => Hearer, before: Before) => {
  const events = new Map<string, Written>();
  const lanes = new Map<string, Line>();
  const keys = new Map<string, Line>();
  const lives = new Map<PostRows, Life>();
  const counts = new Map<string, Map<string, number>>();
  const onBus = new Set<string>();

  const lineIn = (lines: Map<string, Line>, name: string): Line => {
    const known = lines.get(name);
    if (known) return known;
    const line: Line = [];
    lines.set(name, line);
    return line;
  };
  const laneLine = (source: string, lane: string): Line => lineIn(lanes, `${source} ${lane}`);
  const laneNameOf = ({ topic, lane }: Pick<Written, 'topic' | 'lane'>): string => laneName(topic, lane);
  const keyLine = ({ source, topic, key }: Pick<Written, 'source' | 'topic' | 'key'>): Line =>
    lineIn(keys, `${source} ${topic} ${key}`);
  const lifeOf = (rows: PostRows): Life => {
    const life = lives.get(rows);
    if (life === undefined) throw new Error('what is not registered was written');
    return life;
  };
  const eventOf = ({ envelope }: Delivery): Written => {
    const event = events.get(envelope.id);
    if (event === undefined) throw new Error(`nobody wrote ${envelope.id}`);
    return event;
  };

  /** Whether the consumer owes something for it. */
  const isOwed = (rows: PostRows, life: Life, event: Written): boolean =>
    event.order > life.start &&
    hearerOf(rows.post.consumer).topics.has(event.topic) &&
    event.nature !== 'aside' &&
    !life.handled.has(event.id) &&
    !life.discarded.has(event.id);
  const isParked = ({ parked }: PostRows, { topic, key, id }: Written): boolean =>
    parked.get(`${topic} ${key}`)?.events.some(({ envelope }) => envelope.id === id) ?? false;

  const lookAtLane = (rows: PostRows, life: Life, name: string): void => {
    const lane = rows.lanes.get(name);
    if (lane === undefined) return;
    const position = orderOf(lane.position);
    for (const event of laneLine(rows.post.source, name)) {
      if (event.order > position) return;
      if (isOwed(rows, life, event) && !isParked(rows, event))
        fail(
          'a lane passes no event that was not dealt with',
          `${nameOf(rows)} stands behind ${event.id} in ${name}, and has not dealt with it`,
        );
    }
  };

  const lookAtEffect = (rows: PostRows, life: Life, event: Written): void => {
    if (life.handled.has(event.id) || life.discarded.has(event.id))
      fail('an event has its effect once', `${nameOf(rows)} handled ${event.id} once more`);
    for (const elder of keyLine(event)) {
      if (elder.order >= event.order) break;
      if (isOwed(rows, life, elder))
        fail(
          'events of a key have their effects in order',
          `${nameOf(rows)} handled ${event.id} before ${elder.id} of the same key`,
        );
    }
    life.handled.add(event.id);
    const table = counts.get(rows.post.consumer) ?? new Map<string, number>();
    counts.set(rows.post.consumer, table);
    for (const id of hearerOf(rows.post.consumer).tallies(event)) table.set(id, (table.get(id) ?? 0) + 1);
  };

  const observer: Observer = {
    registered: (rows) => {
      lives.set(rows, { handled: new Set(), discarded: new Set(), start: orderOf(rows.start) });
    },
    retired: (consumer) => {
      for (const rows of lives.keys()) if (rows.post.consumer === consumer) lives.delete(rows);
      counts.delete(consumer);
    },
    changed: (rows, { moves, cursors = [] }, { handled, tallies, discarding }, settled) => {
      const life = lifeOf(rows);
      for (const event of handled) lookAtEffect(rows, life, event);
      if (discarding) for (const delivery of settled) life.discarded.add(delivery.envelope.id);
      for (const delivery of settled)
        if (isOwed(rows, life, eventOf(delivery)))
          fail('what is parked is not lost', `${nameOf(rows)} dropped ${delivery.envelope.id} without its effect`);
      for (const { topic, lane } of moves) lookAtLane(rows, life, laneName(topic, lane));
      const table = counts.get(rows.post.consumer);
      for (const { id, row } of tallies)
        if (row?.count !== table?.get(id))
          fail(
            'a row has every event that it was folded from',
            `${nameOf(rows)} counts ${row?.count} in ${id} after ${table?.get(id)} events`,
          );
      for (const { part, to } of cursors) lookAtCursor(rows, part, to);
    },
  };

  const lookAtCursor = (rows: PostRows, part: string, to: string): void => {
    const { topics } = hearerOf(rows.post.consumer);
    const start = orderOf(rows.start);
    for (const event of before(rows.post.source, part, to)) {
      if (!topics.has(event.topic) || event.order <= start) continue;
      const lane = rows.lanes.get(laneNameOf(event));
      if (lane === undefined || orderOf(lane.position) < event.order)
        fail(
          'a cursor passes nothing that its lanes did not',
          `${nameOf(rows)} has read ${part} to ${to}, but its lane has not come to ${event.id}`,
        );
    }
  };

  return {
    observer,
    eventOf,
    handledBy: (rows: PostRows): readonly Written[] => [...lifeOf(rows).handled].flatMap((id) => events.get(id) ?? []),
    owedTo: (rows: PostRows): readonly Written[] =>
      [...events.values()].filter((event) => event.source === rows.post.source && isOwed(rows, lifeOf(rows), event)),
    committed: (database: Database, written: readonly Written[]): void => {
      for (const event of written) {
        events.set(event.id, event);
        const line = laneLine(event.source, laneNameOf(event));
        insert(line, event);
        insert(keyLine(event), event);
        const next = line[line.indexOf(event) + 1];
        if (next !== undefined && onBus.has(next.id))
          fail('first copies of a lane come in order, without gaps', `${event.id} comes behind ${next.id} on the bus`);
        for (const rows of database.posts.values())
          if (rows.post.source === event.source) lookAtLane(rows, lifeOf(rows), laneNameOf(event));
      }
    },
    published: (delivery: Delivery): void => {
      const event = eventOf(delivery);
      const line = laneLine(event.source, laneNameOf(event));
      const before = line[line.indexOf(event) - 1];
      if (orderOf(delivery.after) !== (before?.order ?? 0))
        fail('a predecessor is the predecessor', `${event.id} was published as if behind ${orderOf(delivery.after)}`);
      if (before !== undefined && !onBus.has(before.id))
        fail('first copies of a lane come in order, without gaps', `${event.id} was published before ${before.id}`);
      onBus.add(event.id);
    },
    isOnBus: ({ id }: Written): boolean => onBus.has(id),
    stored: (source: string, { position, lanes: ends }: Checkpoint): void => {
      const to = orderOf(position);
      for (const [name, line] of lanes) {
        if (!name.startsWith(`${source} `)) continue;
        const missing = line.find((event) => event.order <= to && !onBus.has(event.id));
        if (missing)
          fail('a checkpoint passes nothing that is not on the bus', `${source} stands behind ${missing.id}`);
        const last = line.findLast((event) => event.order <= to);
        if (last && orderOf(ends.get(laneNameOf(last)) ?? FEED_START) !== last.order)
          fail('a predecessor is the predecessor', `the checkpoint does not know ${last.id}`);
      }
    },
  };
};

const nameOf = ({ post }: PostRows): string => `${post.consumer}@${post.source}`;
