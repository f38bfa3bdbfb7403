/** The port behind which a bus lies: what services hear each other through. Adapters share one contract suite. */
import type { FeedPosition } from '../event-store/event.ts';
import type { Delivery } from './delivery.ts';
import type { Standing } from './lanes.ts';
import type { Post } from './positions.ts';
import type { Slice } from './runner.ts';

export type EventBus = {
  /** Reads the topics of a source for a consumer. */
  open(post: Post, topics: readonly string[], lease: Lease): BusReader;
  /** Reads all lanes of a source's topics for somebody beside its consumers, who takes no share of theirs. */
  replay(source: string, topics: readonly string[]): Pick<BusReader, 'next' | 'close'>;
  /** The place in the source's feed after which all is new: where a consumer of `now` begins. */
  end(source: string): Promise<FeedPosition>;
  /** What lies behind a consumer's cursors; for people and alarms. */
  lag(source: string, standing: Standing): Promise<Lag>;
  close(): Promise<void>;
};
export type BusReader = {
  /** Whether this process reads for the consumer just now; waits a little where another one does. */
  holds(): Promise<boolean>;
  /**
   * The next deliveries after a standing's cursors, each lane's in order; twins may be among them. Waits a little where
   * there is nothing, and then answers an empty slice.
   */
  next(standing: Standing): Promise<Slice>;
  /** The lanes that are this process's to read, where a bus shares them out; missing where it does not. */
  readonly owned?: () => readonly Pick<Delivery, 'topic' | 'lane'>[];
  close(): Promise<void>;
};

/** Held by one process at a time, for buses that do not share the work out themselves. */
export type Lease = { acquire(): Promise<boolean>; release(): Promise<void> };
/** Of whoever shares with nobody. */
export const NOBODYS: Lease = { acquire: async () => true, release: async () => undefined };

/** events: counted up to MOST_COUNTED. seconds: since the oldest of them was recorded; null = not seen in time. */
export type Lag = { readonly events: number; readonly seconds: number | null };
export const MOST_COUNTED = 10_000;
/** ms: who is behind by more than this is told as degraded. */
export const LATE = 30_000;
/** Also where nobody knows: it may be hours. */
export const isLate = ({ seconds }: Lag): boolean => seconds === null || seconds * 1000 > LATE;
