/** Events under way between services: as a bus hands them over, and as a consumer gets them. */
import type { Event } from '../decider.ts';
import type { FeedPosition, RecordedEvent } from '../event-store/event.ts';

/** An event as it travels: sealed, and not parsed before somebody handles it. */
export type Envelope = {
  readonly id: string;
  readonly stream: string;
  readonly version: number;
  readonly subject: string | null;
  readonly type: string;
  readonly schemaVersion: number;
  /** JSON texts. What comes from a broker may be anything. */
  readonly data: string;
  readonly metadata: string;
  /** RFC 3339, by the database of its producer. */
  readonly recordedAt: string;
};

/** An envelope in its lane: `after` is the place of the event before it in source, topic and lane. */
export type Delivery = {
  readonly topic: string;
  readonly lane: number;
  readonly key: string;
  readonly at: FeedPosition;
  readonly after: FeedPosition;
  readonly envelope: Envelope;
};

/** The topics of a service: of what it tells everybody, and of its own affairs, which the bus keeps for the day when its store is lost. */
export const topicsOfSource = (source: string): readonly string[] => [`${source}.events`, `${source}.events.private`];

/**
 * What somebody else put on a topic: it is in nobody's feed, so no event comes after it. `key` and `at` only name it; both
 * say where on the bus it lies.
 */
export type Stray = Omit<Delivery, 'after'> & { readonly kind: 'stray'; readonly error: string };

/** An event of another service (or our own), opened: what a consumer handles. */
export type Delivered<E extends Event = Event> = RecordedEvent<E> & {
  readonly topic: string;
  readonly key: string;
  readonly recordedAt: string;
};

/** What is wrong with an event that cannot be handled; see parked_key. The error is for operators: nothing personal. */
export type Fault = { readonly cause: 'failed' | 'unknown' | 'unreadable'; readonly error: string };

/** A delivery looked at: an event for the consumer, one that is none of its business, or one that nobody can read. */
export type Reading =
  | { readonly kind: 'event'; readonly delivery: Delivery; readonly event: Delivered }
  | { readonly kind: 'other'; readonly delivery: Delivery }
  | { readonly kind: 'fault'; readonly delivery: Delivery; readonly fault: Fault };
