/** Events as they lie in the store, sealed, and as folds get them, opened. */
import type { Event, Meta } from '../decider.ts';

/** Who asked, and on whose behalf: kept beside each event, never personal data in clear. */
export type Metadata = {
  /** The request that began it all, through every policy and service. */
  readonly correlationId: string;
  /** The event or request that led to this one directly. */
  readonly causationId: string;
  /** A user's id, or a process's name. */
  readonly actor: string;
  readonly requestId: string;
  readonly traceparent?: string;
  /** RFC 3339, by the clock of the process that decided. */
  readonly occurredAt: string;
};

/** An event ready to be appended. */
export type NewEvent = {
  readonly id: string;
  readonly stream: string;
  readonly version: number;
  readonly topic: string;
  readonly key: string;
  readonly lane: number;
  readonly subject: string | null;
  readonly type: string;
  readonly schemaVersion: number;
  /** Personal fields sealed. */
  readonly data: unknown;
  readonly metadata: Metadata;
};

/** Where an event lies in its store's feed. Compared as (era, tx, position); tx is a decimal that may pass 2^53. */
export type FeedPosition = { readonly era: number; readonly tx: string; readonly position: number };
export const FEED_START: FeedPosition = { era: 0, tx: '0', position: 0 };
/** `1:742:9`: on a record of a broker, in a cursor, and for people. */
export const positionText = ({ era, tx, position }: FeedPosition): string => `${era}:${tx}:${position}`;

/** Below 0 where `one` comes before `other` in their store's feed, 0 where they are the same place. */
export const comparePositions = (one: FeedPosition, other: FeedPosition): number =>
  one.era - other.era || compareDecimals(one.tx, other.tx) || one.position - other.position;
const compareDecimals = (one: string, other: string): number =>
  one.length - other.length || (one < other ? -1 : one > other ? 1 : 0);

/** Bytes of an event's data as JSON, sealed: more is refused at the append, and no consumer reads it. */
export const LARGEST_EVENT = 6 * 1024 * 1024;

export type StoredEvent = NewEvent & { readonly at: FeedPosition; readonly recordedAt: string };

/** As much of a stored event as it takes to open it. */
export type SealedEvent = Omit<StoredEvent, 'at' | 'recordedAt' | 'topic' | 'key' | 'lane' | 'metadata'>;

/** An event opened and brought to today's schema version. */
export type RecordedEvent<E extends Event = Event> = {
  readonly id: string;
  readonly event: E;
  readonly meta: Meta;
  readonly metadata: Metadata;
};

/** `task-<id>`: the stream of one aggregate. */
export const streamName = (prefix: string, id: string): string => `${prefix}-${id}`;
/** The id in a stream’s name: all behind the first hyphen, so a prefix must have none. */
export const streamId = (stream: string): string => stream.slice(stream.indexOf('-') + 1);
