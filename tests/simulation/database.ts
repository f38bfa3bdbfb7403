/**
 * A consuming service's database: what positions.ts and registration.ts mean in SQL, statement for statement, with every
 * transaction carried out at once. What may be left out of it are the laws that the planted faults break.
 */
import type { Delivery } from '../../src/platform/event-bus/delivery.ts';
import { type Change, type Lane, laneName, type ParkedKey, type Standing } from '../../src/platform/event-bus/lanes.ts';
import { PARKED_AT_ONCE } from '../../src/platform/event-bus/parking.ts';
import type { Post } from '../../src/platform/event-bus/positions.ts';
import type { CommitVerdict } from '../../src/platform/event-bus/runner.ts';
import { comparePositions, type FeedPosition } from '../../src/platform/event-store/event.ts';
import type { Written } from './store.ts';

export type Tally = { readonly id: string; readonly count: number };
/** As it lies: whoever writes it gives it another mark. */
export type MarkedTally = Tally & { readonly mark: string };
/** What a consumer wants to be written with a change. */
export type Writes = {
  readonly handled: readonly Written[];
  /** Rows as they were read, by their mark (none = there was no such row), and as they shall be. */
  readonly tallies: readonly {
    readonly id: string;
    readonly mark: string | undefined;
    readonly row: Tally | undefined;
  }[];
  /** Ids of jobs that begin. */
  readonly jobs: readonly string[];
  /** By an operator: what is settled was thrown away. */
  readonly discarding?: boolean;
};
export const NOTHING: Writes = { handled: [], tallies: [], jobs: [] };

export type ParkedRow = {
  readonly topic: string;
  readonly lane: number;
  readonly key: string;
  cause: string;
  attempts: number;
  /** By the database's clock; null = not by itself. */
  next: number | null;
  readonly events: Delivery[];
};
/** All that is kept of a consumer at one source. */
export type PostRows = {
  readonly post: Post;
  /** Drawn anew when it is registered again. */
  readonly life: number;
  readonly start: FeedPosition;
  readonly cursors: Map<string, string>;
  readonly lanes: Map<string, { position: FeedPosition; revision: number }>;
  readonly parked: Map<string, ParkedRow>;
};

/** Laws of a database and its statements; a planted fault breaks one. */
export type Law =
  | 'lanes are moved at the revision that was seen'
  | 'cursors are moved from where they were seen'
  | 'a parked key is marked'
  | 'parked events are kept'
  | 'followers are kept'
  | 'what is settled is counted'
  | 'a redrive goes under the revision of its lane'
  | 'a discard goes under the revision of its lane'
  | 'a change is of the registration that was seen'
  | 'rows are written over what was read';
export type Laws = (law: Law) => boolean;

class Refused extends Error {
  override readonly name = 'Refused';
}
const QUARTER = 15 * 60_000;
const keyName = (topic: string, key: string): string => `${topic} ${key}`;
const postName = ({ consumer, source }: Post): string => `${consumer}@${source}`;

/** Told of what was committed; `settled`: what is not parked any more. */
export type Observer = {
  changed(rows: PostRows, change: Change, writes: Writes, settled: readonly Delivery[]): void;
  registered(rows: PostRows): void;
  retired(consumer: string): void;
};
export type Database = ReturnType<typeof createDatabase>;

/** The jobs of the same database. */
type Begins = { has(id: string): boolean; begin(id: string): void };

export const createDatabase = (holds: Laws, wall: () => number, observer: Observer, jobs: Begins) => {
  const posts = new Map<string, PostRows>();
  const tallies = new Map<string, Map<string, MarkedTally>>();
  const leases = new Map<string, { holder: string; until: number }>();
  let lives = 0;
  let marks = 0;

  const rowsOf = (post: Post): PostRows => {
    const rows = posts.get(postName(post));
    if (rows === undefined) throw new Refused(`${postName(post)} is not registered`);
    return rows;
  };
  const talliesOf = (consumer: string): Map<string, MarkedTally> => {
    const known = tallies.get(consumer) ?? new Map<string, MarkedTally>();
    tallies.set(consumer, known);
    return known;
  };

  const standing = (post: Post): Standing & { readonly life: number } => {
    const rows = rowsOf(post);
    const marks = new Map<string, Set<string>>();
    if (holds('a parked key is marked'))
      for (const { topic, lane, key } of rows.parked.values()) {
        const name = laneName(topic, lane);
        const set = marks.get(name) ?? new Set();
        marks.set(name, set.add(key));
      }
    const lanes = new Map<string, Lane>();
    for (const [name, { position, revision }] of rows.lanes)
      lanes.set(name, { position, revision, parked: marks.get(name) ?? new Set() });
    return { life: rows.life, start: rows.start, cursors: new Map(rows.cursors), lanes };
  };

  /** What the statements of a change find before any of them is carried out: the first that fails ends the transaction. */
  const verdictOn = (
    rows: PostRows,
    life: number,
    change: Change,
    { tallies: written, discarding }: Writes,
  ): 'accepted' | 'lost' => {
    const { moves, cursors = [], park, queue, settle, postpone } = change;
    const table = talliesOf(rows.post.consumer);
    if (holds('rows are written over what was read'))
      for (const { id, mark } of written) if (table.get(id)?.mark !== mark) return 'lost';
    if (life !== rows.life && holds('a change is of the registration that was seen')) return 'lost';
    const isCompared =
      holds('lanes are moved at the revision that was seen') &&
      (!settle || discarding || holds('a redrive goes under the revision of its lane')) &&
      (!discarding || holds('a discard goes under the revision of its lane'));
    if (isCompared)
      for (const { topic, lane, revision } of moves) {
        const known = rows.lanes.get(laneName(topic, lane));
        if (known !== undefined && known.revision !== revision) return 'lost';
      }
    if (holds('cursors are moved from where they were seen'))
      for (const { part, from } of cursors) if (rows.cursors.get(part) !== from) return 'lost';
    const parkedNow = new Set<string>();
    for (const { delivery } of park) {
      const name = keyName(delivery.topic, delivery.key);
      if (rows.parked.has(name) || parkedNow.has(name)) throw new Refused(`${name} is parked already`);
      parkedNow.add(name);
    }
    for (const { topic, key, at } of queue) {
      const name = keyName(topic, key);
      const row = rows.parked.get(name);
      if (row === undefined && !parkedNow.has(name)) throw new Refused(`${name} is not parked`);
      if (row?.events.some((one) => comparePositions(one.at, at) === 0)) throw new Refused('it is parked already');
    }
    if (settle && holds('what is settled is counted')) {
      const row = rows.parked.get(keyName(settle.key.topic, settle.key.key));
      const found = settle.deliveries.filter(({ at }) => row?.events.some((one) => comparePositions(one.at, at) === 0));
      if (row === undefined || found.length !== settle.deliveries.length) return 'lost';
    }
    if (postpone && !rows.parked.has(keyName(postpone.key.topic, postpone.key.key))) return 'lost';
    return 'accepted';
  };

  /** Answers what is not parked any more. */
  const carryOut = (rows: PostRows, change: Change, { tallies: written }: Writes): readonly Delivery[] => {
    const { moves, cursors = [], park, queue, settle, postpone } = change;
    const table = talliesOf(rows.post.consumer);
    for (const { id, row } of written) {
      if (row === undefined) table.delete(id);
      else {
        marks += 1;
        table.set(id, { ...row, mark: String(marks) });
      }
    }
    for (const { topic, lane, revision, to } of moves)
      rows.lanes.set(laneName(topic, lane), { position: to, revision: revision + 1 });
    for (const { part, to } of cursors) rows.cursors.set(part, to);
    for (const { delivery, fault, retryIn } of park) {
      const { topic, lane, key } = delivery;
      const events = holds('parked events are kept') ? [delivery] : [];
      const next = retryIn === null ? null : wall() + retryIn;
      rows.parked.set(keyName(topic, key), { topic, lane, key, cause: fault.cause, attempts: 1, next, events });
    }
    if (holds('followers are kept'))
      for (const delivery of queue) rows.parked.get(keyName(delivery.topic, delivery.key))?.events.push(delivery);
    const settled: Delivery[] = [];
    const row = settle && rows.parked.get(keyName(settle.key.topic, settle.key.key));
    if (row && settle.emptied) {
      rows.parked.delete(keyName(row.topic, row.key));
      settled.push(...row.events);
    } else if (row) {
      for (const { at } of settle.deliveries) {
        const found = row.events.findIndex((one) => comparePositions(one.at, at) === 0);
        if (found >= 0) settled.push(...row.events.splice(found, 1));
      }
      row.attempts = 0;
      row.next = wall();
    }
    if (postpone) {
      const row = rows.parked.get(keyName(postpone.key.topic, postpone.key.key));
      if (row) {
        row.attempts += 1;
        row.cause = postpone.fault.cause;
        row.next = postpone.retryIn === null ? null : wall() + postpone.retryIn;
      }
    }
    return settled;
  };

  return {
    posts: posts as ReadonlyMap<string, PostRows>,
    standing,
    tally: (consumer: string, id: string): MarkedTally | undefined => talliesOf(consumer).get(id),
    /** Where it is registered already, nothing changes. */
    register: (post: Post, start: FeedPosition): void => {
      if (posts.has(postName(post))) return;
      lives += 1;
      const rows = { post, life: lives, start, cursors: new Map(), lanes: new Map(), parked: new Map() };
      posts.set(postName(post), rows);
      observer.registered(rows);
    },
    isRegistered: (post: Post): boolean => posts.has(postName(post)),
    /** All that is known of a consumer is forgotten, and what it made with it: it is to begin anew. */
    retire: (consumer: string): void => {
      for (const [name, { post }] of posts) if (post.consumer === consumer) posts.delete(name);
      tallies.delete(consumer);
      observer.retired(consumer);
    },
    /** `life`: of the registration on which the change was decided. */
    commit: (post: Post, life: number, change: Change, writes: Writes): CommitVerdict => {
      const rows = rowsOf(post);
      for (const job of writes.jobs) if (jobs.has(job)) throw new Refused(`${job} was there already`);
      const verdict = verdictOn(rows, life, change, writes);
      if (verdict !== 'accepted') return verdict;
      for (const job of writes.jobs) jobs.begin(job);
      observer.changed(rows, change, writes, carryOut(rows, change, writes));
      return 'accepted';
    },
    /** `knows`: whether who asks knows a type. */
    due: (post: Post, knows: (type: string) => boolean): readonly ParkedKey[] =>
      [...rowsOf(post).parked.values()]
        .filter(({ next, cause, events }) => {
          const type = events[0]?.envelope.type;
          if (cause === 'unknown' && type !== undefined && knows(type)) return true;
          return next !== null && (next <= wall() || next > wall() + QUARTER);
        })
        .sort((one, other) => (one.next ?? 0) - (other.next ?? 0))
        .map(({ topic, lane, key, attempts }) => ({ topic, lane, key, attempts })),
    parkedOf: (post: Post, { topic, key }: ParkedKey): readonly Delivery[] =>
      (rowsOf(post).parked.get(keyName(topic, key))?.events ?? [])
        .toSorted((one, other) => comparePositions(one.at, other.at))
        .slice(0, PARKED_AT_ONCE)
        .map((delivery) => ({ ...delivery, after: delivery.at })),
    /** By an operator: a key is due now, with all its attempts before it; see dead-letters.ts. */
    redrive: (rows: PostRows, row: ParkedRow): void => {
      if (rows.parked.get(keyName(row.topic, row.key)) !== row) return;
      const lane = rows.lanes.get(laneName(row.topic, row.lane));
      if (lane) lane.revision += 1;
      row.attempts = 0;
      row.next = wall();
    },
    /** Who reads for a consumer: only so that they do not all do the same. */
    lease: (post: Post, holder: string, length: number): boolean => {
      const known = leases.get(postName(post));
      const over = known === undefined || known.until < wall() || known.until > wall() + length;
      if (!over && known.holder !== holder) return false;
      leases.set(postName(post), { holder, until: wall() + length });
      return true;
    },
  };
};
