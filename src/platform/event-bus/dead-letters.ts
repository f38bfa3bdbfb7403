/**
 * Dead letters, for whoever repairs what events do: keys of which an event could not be handled, with all that came for
 * them since. Looking changes nothing. Both ways to move one go under its lane's revision, so that a process that is at
 * it in this very moment cannot commit over what was said here:
 *
 *   redrive   makes the key due now and counts its attempts from 0 again. The process that reads for the consumer does it,
 *             as it does every attempt; whatever is under way counts for nothing and is done again
 *   discard   deals with the first event, or all of them, without an effect. What is left becomes due at once
 */
import type { RowWrite } from '../commit/commit.ts';
import type { Executor } from '../commit/executor.ts';
import { FEED_START } from '../event-store/event.ts';
import { type Database, statement } from '../sql/database.ts';
import { NO_EFFECTS } from './consumer.ts';
import type { Delivery, Envelope, Fault } from './delivery.ts';
import type { ParkedKey } from './lanes.ts';
import { PARKED_AT_ONCE } from './parking.ts';
import { type Post, parkedDeliveries } from './positions.ts';

/** Which key: what names a dead letter, in the database of its consumer's service. */
export type DeadLetterName = Post & Pick<ParkedKey, 'topic' | 'key'>;
export type DeadLetter = DeadLetterName &
  ParkedKey &
  Fault & {
    /** Its first event and those behind it. */
    readonly events: number;
    /** Instants are RFC 3339, by the database's clock. */
    readonly parkedAt: string;
    /** null = not by itself: it waits for a hand, or for a release that knows what it is. */
    readonly nextAttemptAt: string | null;
    /** ms until then; 0 = now. */
    readonly nextAttemptIn: number | null;
    /** Whether some process reads for the consumer at this moment: nobody else handles what is due. */
    readonly isRead: boolean;
  };
export type Which = { readonly [Part in 'consumer' | 'topic' | 'key']?: string | undefined };

const LIST = statement(
  'dead-letters',
  `select p.consumer, p.source, p.topic, p.key, p.lane, p.cause, p.error, p.attempts, p.parked_at as "parkedAt",
     p.next_attempt_at as "nextAttemptAt",
     case when p.next_attempt_at is not null then
       round(greatest(0, extract(epoch from p.next_attempt_at - now()) * 1000))::bigint end as "nextAttemptIn",
     (select count(*) from parked_event e
       where (e.consumer, e.source, e.topic, e.key) = (p.consumer, p.source, p.topic, p.key)) as events,
     exists (select from consumer_lease l
       where l.consumer = p.consumer and l.source = p.source and l.until > now()) as "isRead"
   from parked_key p
   where ($1::text is null or p.consumer = $1) and ($2::text is null or p.topic = $2) and ($3::text is null or p.key = $3)
   order by p.parked_at, p.consumer, p.topic, p.key`,
);
/** All that is parked in a service's database, or some of it, the longest parked first. */
export const listDeadLetters = (
  database: Database,
  { consumer, topic, key }: Which = {},
): Promise<readonly DeadLetter[]> => database.read<DeadLetter>(LIST, [consumer, topic, key]);

/** An event that is parked, and whether it is the one to blame or waits behind that one. */
export type ParkedEvent = Omit<DeadLetterName, 'topic'> & Fault & { readonly id: string; readonly isFirst: boolean };
const AMONG = statement(
  'parked-among',
  `select e.consumer, e.source, e.key, e.id, k.cause, k.error, not exists (select from parked_event before
       where (before.consumer, before.source, before.topic, before.key) = (e.consumer, e.source, e.topic, e.key)
         and (before.era, before.tx, before.position) < (e.era, e.tx, e.position)) as "isFirst"
   from parked_event e join parked_key k using (consumer, source, topic, key) where e.id = any($1)`,
);
/** Those of some events, by their ids, that are parked in a service's database. */
export const parkedAmong = (database: Database, ids: readonly string[]): Promise<readonly ParkedEvent[]> =>
  database.read<ParkedEvent>(AMONG, [ids]);

const REDRIVE = statement(
  'dead-letter-redrive',
  `with lane as (
     update consumer_lane l set revision = l.revision + 1, updated_at = clock_timestamp() from parked_key p
     where (p.consumer, p.source, p.topic, p.key) = ($1, $2, $3, $4)
       and (l.consumer, l.source, l.topic, l.lane) = (p.consumer, p.source, p.topic, p.lane)
     returning 1)
   update parked_key set attempts = 0, next_attempt_at = clock_timestamp()
   where consumer = $1 and source = $2 and topic = $3 and key = $4 and exists (select from lane)
   returning key`,
);
/** Makes a key due now. Twice is once. False where nothing is parked of it (any more). */
export const redrive = async (database: Database, { consumer, source, topic, key }: DeadLetterName): Promise<boolean> =>
  (await database.write(REDRIVE, [consumer, source, topic, key])).length > 0;

// Three statements of one commit. The first waits for whoever commits in the lane just now, and whoever does so later finds
// another revision; so the others see what is parked as it is then, and as it stays until they are done.
const RAISE = statement(
  'dead-letter-lane',
  `update consumer_lane set revision = revision + 1, updated_at = clock_timestamp()
   where consumer = $1 and source = $2 and topic = $3 and lane = $4`,
);
const DISCARD_FIRST = statement(
  'dead-letter-discard',
  `delete from parked_event e where consumer = $1 and source = $2 and topic = $3 and key = $4 and id = $5
     and not exists (select from parked_event before
       where (before.consumer, before.source, before.topic, before.key) = (e.consumer, e.source, e.topic, e.key)
         and (before.era, before.tx, before.position) < (e.era, e.tx, e.position))`,
);
const GO_ON = statement(
  'dead-letter-go-on',
  `update parked_key set attempts = 0, next_attempt_at = clock_timestamp()
   where consumer = $1 and source = $2 and topic = $3 and key = $4`,
);
const DISCARD_KEY = statement(
  'dead-letter-discard-key',
  `delete from parked_key k where consumer = $1 and source = $2 and topic = $3 and key = $4
     and $6 = (select count(*) from parked_event e
       where (e.consumer, e.source, e.topic, e.key) = (k.consumer, k.source, k.topic, k.key))
     and $5 = (select e.id from parked_event e
       where (e.consumer, e.source, e.topic, e.key) = (k.consumer, k.source, k.topic, k.key)
       order by e.era, e.tx, e.position limit 1)`,
);

/** How much of a key: its first event, or all of it. `first`: the event that is thought to be it, by its id. */
export type Discarding = { readonly all: boolean; readonly first?: string | undefined };
export type Discarded =
  | {
      readonly kind: 'discarded';
      readonly first: Pick<Envelope, 'id' | 'stream' | 'version' | 'type'>;
      readonly events: number;
      readonly left: number;
    }
  /** Nothing is parked of the key (any more). */
  | { readonly kind: 'gone' }
  /** Another event is the first by now: what was thought to be it was dealt with. Nothing is discarded. */
  | { readonly kind: 'moved'; readonly first: string };

const TRIES = 20;

/**
 * Throws away the first event of a key, or all of it, for one consumer: what others make of it is their affair, and in its
 * store it stays. Rejects as every commit does, and where more comes for the key faster than it can be thrown away.
 */
export const discard = async (
  { database, executor }: { readonly database: Database; readonly executor: Executor },
  name: DeadLetterName,
  { all, first }: Discarding,
): Promise<Discarded> => {
  let expected = first;
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    const [letter] = await listDeadLetters(database, name);
    const [delivery] = await parkedDeliveries(database, name, name);
    if (letter === undefined || delivery === undefined) return { kind: 'gone' };
    const { id, stream, version, type } = delivery.envelope;
    expected ??= id;
    if (id !== expected) return { kind: 'moved', first: id };
    const events = all ? letter.events : 1;
    const writes = discarding(letter, id, events);
    const { verdict } = await executor.commit({ ...NO_EFFECTS, writes, idempotency: undefined });
    if (verdict === 'accepted')
      return { kind: 'discarded', first: { id, stream, version, type }, events, left: letter.events - events };
    if (verdict !== 'missed') throw new Error(`discarding was refused: ${verdict}`);
  }
  throw new Error(`so much comes for ${name.key} that it is never still: try again`);
};

const discarding = (letter: DeadLetter, first: string, events: number): readonly RowWrite[] => {
  const { consumer, source, topic, lane, key } = letter;
  const named = [consumer, source, topic, key];
  const raise: RowWrite = { statement: RAISE, values: [consumer, source, topic, lane], expect: 1 };
  if (events === letter.events)
    return [raise, { statement: DISCARD_KEY, values: [...named, first, events], expect: 1 }];
  return [
    raise,
    { statement: DISCARD_FIRST, values: [...named, first], expect: 1 },
    { statement: GO_ON, values: named, expect: 1 },
  ];
};

/** All events of a key in their order, as they came; piece by piece, for there may be many, and large ones. */
export const eventsOfDeadLetter = async function* (database: Database, name: DeadLetterName): AsyncGenerator<Delivery> {
  let after = FEED_START;
  for (;;) {
    const deliveries = await parkedDeliveries(database, name, name, after);
    yield* deliveries;
    const last = deliveries.at(-1);
    if (last === undefined || deliveries.length < PARKED_AT_ONCE) return;
    after = last.at;
  }
};
