/** What shall happen, as one value: everything in it happens in one transaction, or nothing does. */
import type { NewEvent } from '../event-store/event.ts';
import type { Published } from '../event-store/published.ts';
import type { Table } from '../read-models/table.ts';
import type { Statement } from '../sql/database.ts';

/**
 * Events for one stream, which is at `expected` (0 = does not exist). Without events the command only relies on the
 * stream being there, and others may do so at the same time.
 */
export type Append = { readonly stream: string; readonly expected: number; readonly events: readonly NewEvent[] };

/** A value that only one holder may have, across all aggregates: an address, a name. */
export type Reservation = { readonly scope: string; readonly value: string; readonly holder: string };

/** What is written to one row, or by a statement; what that must touch is checked on the server, before COMMIT. */
export type RowWrite =
  | { readonly upsert: Table<unknown>; readonly row: object }
  /** Gone where it was; no matter whether it was. */
  | { readonly remove: Table<unknown>; readonly id: string }
  | { readonly statement: Statement; readonly values: readonly unknown[]; readonly expect: number };

/** That a command was done: kept with it, so that a repeated request is answered from its results. */
type IdempotencyRecord = IdempotencyScope & {
  readonly bodyHash: string;
  readonly results: readonly Result[];
};
export type IdempotencyScope = { readonly principal: string; readonly route: string; readonly key: string };
/** A stream, as it was at a version; or a number that no stream tells. */
export type Result = StreamVersion | { readonly count: number };
export type StreamVersion = { readonly stream: string; readonly version: number };

export type Commit = {
  readonly appends: readonly Append[];
  readonly take: readonly Reservation[];
  readonly release: readonly Reservation[];
  readonly writes: readonly RowWrite[];
  readonly idempotency: IdempotencyRecord | undefined;
};

/**
 * What became of a commit.
 * - accepted: all of it was done; `published` says where its public events lie, where it had any
 * - busy: another process holds one of its streams or reservations at this moment; try again
 * - in-flight: another process is at the same idempotency key
 * - stale: a stream is not at its expected version; load again
 * - seen: the idempotency key was used before
 * - taken: somebody else holds the reservation of that scope
 * - duplicate: an event of that id exists already: this was done before
 * - missed: a statement did not touch the rows that it must
 */
export type Verdict =
  | { readonly verdict: 'accepted'; readonly published: Published | undefined }
  | { readonly verdict: 'busy' | 'in-flight' | 'stale' | 'seen' | 'duplicate' | 'missed' }
  | { readonly verdict: 'taken'; readonly scope: string };

/** What a commit needs for itself while it runs, and what it shares with others that only rely on it. */
export type Claims = { readonly own: readonly string[]; readonly shared: readonly string[] };
/**
 * What two commits must not both change in one batch: streams with events, reservations, the idempotency key. Streams
 * that are only relied on (guards) are shared.
 */
export const claimsOf = ({ appends, take, release, idempotency }: Commit): Claims => ({
  own: [
    ...appends.filter(({ events }) => events.length > 0).map(({ stream }) => stream),
    ...[...take, ...release].map(({ scope, value }) => `${scope}\u001f${value}`),
    ...(idempotency ? [`${idempotency.principal}\u001f${idempotency.route}\u001f${idempotency.key}`] : []),
  ],
  shared: appends.filter(({ events }) => events.length === 0).map(({ stream }) => stream),
});
