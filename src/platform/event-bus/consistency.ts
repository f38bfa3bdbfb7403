/**
 * A read that brings along what was written elsewhere waits until the consumers here have dealt with it: until each that
 * hears of it has moved its lane that far, over what it handles and what it passes over alike.
 *
 * Asked is this service's own database, where positions and effects lie together: what it says is there, the read that
 * comes after finds. One statement a look, for all who wait; a look follows each commit of this process at once, and
 * those of other processes within 50 ms.
 */
import type { EventCatalog } from '../event-store/catalog.ts';
import type { Published } from '../event-store/published.ts';
import type { Signal } from '../lifecycle/signal.ts';
import { type Database, statement } from '../sql/database.ts';
import { type Consumer, sourcesOf } from './consumer.ts';

/** What a write published, and in whose store. */
export type Written = Published & { readonly source: string };
/** A consumer at one source of what it hears. */
export type Hearing = { readonly consumer: string; readonly source: string; readonly topics: readonly string[] };
/** Whom a read may have to wait for: each consumer once for every source of events that it handles. */
export const hearingsOf = (catalog: EventCatalog, consumers: readonly Consumer[]): readonly Hearing[] =>
  consumers.flatMap((consumer) => sourcesOf(catalog, consumer).map((heard) => ({ consumer: consumer.name, ...heard })));

/**
 * behind: not dealt with in time, or too many wait already; parked: some of it could not be handled, and nobody knows
 * when it will be.
 */
export type CatchUp = (written: readonly Written[]) => Promise<'reached' | 'behind' | 'parked'>;

const PATIENCE = 2_000;
const FIRST_PAUSE = 4;
const LONGEST_PAUSE = 50;
/** Lanes that may be waited for at a time, over all who wait: a look costs so much for each of them. */
const MOST = 1_000;

// A lane without a row stands where its consumer began; a consumer that is not registered yet has reached nothing. What
// is parked was passed by its lane, and lies apart: it is known by its place, for of a write it lies between the first
// event and the lane's last, as does nothing else (unless the write took several commits: then, in its lane, also what
// others published meanwhile).
const LOOK = statement(
  'consistency-look',
  `select n, bool_and(reached) as reached, bool_or(case when reached then exists (
       select from parked_key k join parked_event e using (consumer, source, topic, key)
       where (k.consumer, k.source, k.topic, k.lane) = (asked.consumer, asked.source, asked.topic, asked.lane)
         and (e.era, e.tx, e.position) >= ("firstEra", "firstTx", "firstPosition")
         and (e.era, e.tx, e.position) <= (asked.era, asked.tx, asked.position)) else false end) as parked
   from (
     select w.*, h.consumer, coalesce(
       (l.era, l.tx, l.position) >= (w.era, w.tx, w.position),
       (s.start_era, s.start_tx, s.start_position) >= (w.era, w.tx, w.position), false) as reached
     from json_to_recordset($1::json) w(n integer, source text, topic text, lane smallint, era integer, tx xid8,
         position bigint, "firstEra" integer, "firstTx" xid8, "firstPosition" bigint)
       join json_to_recordset($2::json) h(consumer text, source text, topic text) using (source, topic)
       left join consumer_source s using (consumer, source)
       left join consumer_lane l using (consumer, source, topic, lane)) asked
   group by n`,
);
type Found = { readonly n: number; readonly reached: boolean; readonly parked: boolean };
type Waiter = {
  readonly lanes: readonly object[];
  readonly settle: (outcome: Awaited<ReturnType<CatchUp>>) => void;
  readonly fail: (error: unknown) => void;
};

/**
 * Where nobody hears of what was written, as in the service that wrote it, there is nothing to wait for. `committed` is
 * given after each commit of this process. Rejects with DatabaseUnavailable.
 */
export const openCatchUp = (database: Database, committed: Signal, hearings: readonly Hearing[]): CatchUp => {
  const ears = hearings.flatMap(({ topics, ...ear }) => topics.map((topic) => ({ ...ear, topic })));
  const heard = new Set(ears.map(({ source, topic }) => `${source} ${topic}`));
  const listener = committed.listen();
  const waiting = new Set<Waiter>();
  let watching = false;

  const look = async (waiters: readonly Waiter[]): Promise<void> => {
    try {
      const wanted = waiters.flatMap(({ lanes }, n) => lanes.map((lane) => ({ n, ...lane })));
      const found = await database.read<Found>(LOOK, [JSON.stringify(wanted), JSON.stringify(ears)]);
      for (const { n, reached, parked } of found) {
        if (parked) waiters[n]?.settle('parked');
        else if (reached) waiters[n]?.settle('reached');
      }
    } catch (error) {
      for (const { fail } of waiters) fail(error);
    }
  };
  /** Runs while anybody waits. */
  const watch = async (): Promise<void> => {
    if (watching) return;
    watching = true;
    for (let pause = FIRST_PAUSE; waiting.size > 0; ) {
      const woken = await listener.wait(pause);
      pause = woken ? FIRST_PAUSE : Math.min(LONGEST_PAUSE, pause * 2);
      await look([...waiting]);
    }
    watching = false;
  };

  return async (written) => {
    const lanes = written.flatMap((one) => lanesOf(one).filter(({ source, topic }) => heard.has(`${source} ${topic}`)));
    if (lanes.length === 0) return 'reached';
    const waited = waiting.values().reduce((sum, waiter) => sum + waiter.lanes.length, 0);
    if (waited + lanes.length > MOST) return 'behind';
    const { promise, resolve: settle, reject: fail } = Promise.withResolvers<Awaited<ReturnType<CatchUp>>>();
    const waiter: Waiter = { lanes, settle, fail };
    waiting.add(waiter);
    const patience = setTimeout(() => settle('behind'), PATIENCE);
    try {
      void look([waiter]).then(watch);
      return await promise;
    } finally {
      clearTimeout(patience);
      waiting.delete(waiter);
    }
  };
};

const lanesOf = ({ source, first, lanes }: Written) =>
  lanes.map(({ topic, lane, last }) => ({
    source,
    topic,
    lane,
    ...last,
    firstEra: first.era,
    firstTx: first.tx,
    firstPosition: first.position,
  }));
