/**
 * A producer's event store, as the real one behaves: a transaction gets its number and its events their positions before
 * it ends, transactions end in any order, and the feed shows what lies below the oldest that is still running.
 */
import type { Delivered, Delivery, Envelope } from '../../src/platform/event-bus/delivery.ts';
import { FEED_START, type FeedPosition } from '../../src/platform/event-store/event.ts';

/**
 * What is special about an event. mail: leads to a job; flaky: cannot be handled some times; poison: until the consumer
 * is repaired; novel: of a type that the first release does not know; unreadable: never; aside: of no consumer's interest.
 */
export type Nature = 'plain' | 'mail' | 'flaky' | 'poison' | 'novel' | 'unreadable' | 'aside';
export type Draft = {
  readonly stream: string;
  readonly topic: string;
  readonly lane: number;
  readonly key: string;
  readonly nature: Nature;
};
/** An event as it lies in the store. */
export type Written = Draft & {
  readonly id: string;
  readonly source: string;
  readonly at: FeedPosition;
  /** Its place as one number. */
  readonly order: number;
  readonly envelope: Envelope;
};
/** A place in the feed as one number. */
export const orderOf = ({ era, tx, position }: FeedPosition): number => era * 1e12 + Number(tx) * 1e6 + position;
export const typeOf = (nature: Nature): string =>
  nature === 'aside' || nature === 'novel' || nature === 'unreadable' ? nature : 'said';

export type Transaction = {
  readonly tx: number;
  readonly since: number;
  readonly streams: Set<string>;
  readonly events: Written[];
};
/** ms */
const LONGEST = 3_000;
export type Store = ReturnType<typeof createStore>;

export const createStore = (source: string, committed: (events: readonly Written[]) => void) => {
  let era = 1;
  let tx = 9_994; // so that it gets another digit soon: it is compared as text
  let position = 0;
  const running = new Set<Transaction>();
  /** What the feed shows, in its order, and what it does not show yet. */
  const visible: Written[] = [];
  let hidden: Written[] = [];
  const versions = new Map<string, number>();

  const show = (): void => {
    if (hidden.length === 0) return;
    const oldest = Math.min(...[...running].map((one) => one.tx));
    const shown = hidden.filter(({ at }) => Number(at.tx) < oldest).sort((one, other) => one.order - other.order);
    hidden = hidden.filter(({ at }) => Number(at.tx) >= oldest);
    visible.push(...shown);
  };

  const begin = (now: number): Transaction => {
    tx += 1;
    const transaction = { tx, since: now, streams: new Set<string>(), events: [] };
    running.add(transaction);
    return transaction;
  };
  /** Answers false where another transaction holds the stream; throws where this one was ended. */
  const append = (transaction: Transaction, draft: Draft): boolean => {
    if (!running.has(transaction)) throw new Error('the transaction was ended');
    for (const other of running) if (other !== transaction && other.streams.has(draft.stream)) return false;
    transaction.streams.add(draft.stream);
    position += 1;
    transaction.events.push(written(source, { era, tx: String(transaction.tx), position }, draft));
    return true;
  };
  const rollBack = (transaction: Transaction): void => {
    running.delete(transaction);
    show();
  };
  const commit = (transaction: Transaction): void => {
    if (!running.has(transaction)) return;
    running.delete(transaction);
    for (const { stream } of transaction.events) versions.set(stream, versionOf(stream) + 1);
    hidden.push(...transaction.events);
    committed(transaction.events);
    show();
  };
  const versionOf = (stream: string): number => versions.get(stream) ?? 0;
  const after = (order: number): number => visible.findLastIndex((one) => one.order <= order) + 1;

  return {
    source,
    begin,
    append,
    commit,
    rollBack,
    versionOf,
    isRunning: () => running.size > 0,
    written: (): number => position,
    /** What says nothing for so long is ended by the server. */
    endOld: (now: number): void => {
      for (const one of running) if (now - one.since > LONGEST) rollBack(one);
    },
    published: (place: FeedPosition, limit: number): readonly Written[] => {
      const from = after(orderOf(place));
      return visible.slice(from, from + limit);
    },
    /** What a reader sees that remembers the last position only. */
    byPosition: (place: FeedPosition, limit: number): readonly Written[] =>
      [...visible, ...hidden]
        .filter(({ at }) => at.position > place.position)
        .sort((one, other) => one.at.position - other.at.position)
        .slice(0, limit),
    end: (): FeedPosition => visible.at(-1)?.at ?? FEED_START,
    visible: visible as readonly Written[],
    /** Restored into another cluster: numbers of transactions begin anew there. */
    restore: (): void => {
      era += 1;
      tx = 95;
    },
  };
};

const written = (source: string, at: FeedPosition, draft: Draft): Written => {
  const id = `${source}${at.position}`;
  const { stream, nature } = draft;
  const type = typeOf(nature);
  const envelope: Envelope = {
    id,
    stream,
    version: at.position,
    subject: null,
    type,
    schemaVersion: 1,
    data: '',
    metadata: '',
    recordedAt: '',
  };
  return { ...draft, id, source, at, order: orderOf(at), envelope };
};

/** As a bus hands it over, before somebody says what lies before it. */
export const carried = ({ topic, lane, key, at, envelope }: Written): Omit<Delivery, 'after'> => ({
  topic,
  lane,
  key,
  at,
  envelope,
});

/** As a consumer gets it. */
export const opened = (one: Written): Delivered<{ type: string; data: Written }> => ({
  id: one.id,
  topic: one.topic,
  key: one.key,
  recordedAt: '',
  event: { type: one.envelope.type, data: one },
  meta: { streamId: one.stream, version: one.envelope.version, occurredAt: '', actor: '' },
  metadata: { correlationId: '', causationId: '', actor: '', requestId: '', occurredAt: '' },
});
