/** Which of the waiting commits may go together, and the two trips they take. Pure. */
import type { FeedPosition } from '../event-store/event.ts';
import { publishedOf } from '../event-store/published.ts';
import type { Statement } from '../sql/database.ts';
import type { Claims, Commit, RowWrite, Verdict } from './commit.ts';

/** What the batches under way have claimed. */
export type Held = { readonly own: ReadonlySet<string>; readonly shared: ReadonlySet<string> };

/**
 * The first `limit` of the waiting whose claims meet neither those held nor those of anyone before them in the queue:
 * whoever is passed over keeps what they claim, so that nobody overtakes and nobody starves.
 */
export const selectBatch = <Waiting extends { readonly claims: Claims }>(
  waiting: readonly Waiting[],
  held: Held,
  limit: number,
): { readonly batch: readonly Waiting[]; readonly rest: readonly Waiting[] } => {
  const own = new Set(held.own);
  const shared = new Set(held.shared);
  const batch: Waiting[] = [];
  const rest: Waiting[] = [];
  for (const one of waiting) {
    const { claims } = one;
    const free =
      batch.length < limit &&
      !claims.own.some((claim) => own.has(claim) || shared.has(claim)) &&
      !claims.shared.some((claim) => own.has(claim));
    (free ? batch : rest).push(one);
    for (const claim of claims.own) own.add(claim);
    for (const claim of claims.shared) shared.add(claim);
  }
  return { batch, rest };
};

/** Trip 1: the arguments of `append(era, streams, keys, take, release, events)`; n is the commit's place in the batch. */
export const appendArguments = (era: number, commits: readonly Commit[]): readonly unknown[] => {
  const of = (pick: (commit: Commit, n: number) => readonly object[]): string => JSON.stringify(commits.flatMap(pick));
  return [
    era,
    of(({ appends }, n) =>
      appends.map(({ stream, expected, events }) => ({
        n,
        stream,
        expected,
        shared: events.length === 0,
        first: events[0]?.id,
      })),
    ),
    of(({ idempotency }, n) => (idempotency ? [{ n, ...idempotency }] : [])),
    of(({ take }, n) => take.map((reservation) => ({ n, ...reservation }))),
    of(({ release }, n) => release.map((reservation) => ({ n, ...reservation }))),
    of(({ appends }, n) => appends.flatMap(({ events }) => events.map((event) => ({ n, ...event })))),
  ];
};

/** What `append` answered: refused by the commit's place in the batch, positions by the event's id. */
export type Appended = {
  readonly tx: string;
  readonly refused: Readonly<Record<string, readonly [Exclude<Verdict['verdict'], 'accepted' | 'missed'>, string?]>>;
  readonly positions: Readonly<Record<string, number>> | null;
};
/** The same, as a verdict for each commit of the batch. */
export const verdictsOf = (
  era: number,
  commits: readonly Commit[],
  { tx, refused, positions }: Appended,
): readonly Verdict[] => {
  const placeOf = (id: string): FeedPosition => {
    const position = positions?.[id];
    if (position === undefined) throw new Error(`append did not say where ${id} lies`);
    return { era, tx, position };
  };
  return commits.map(({ appends }, n): Verdict => {
    const [verdict, detail] = refused[n] ?? ['accepted' as const];
    if (verdict === 'taken') return { verdict, scope: detail ?? '' };
    if (verdict !== 'accepted') return { verdict };
    const events = appends.flatMap((append) => append.events);
    return { verdict, published: publishedOf(events.map(({ id, topic, lane }) => ({ topic, lane, at: placeOf(id) }))) };
  });
};

/** Trip 2: all removals of one table as one statement, all upserts likewise, then the single statements in their order. */
export const rowStatements = (
  writes: readonly RowWrite[],
): readonly { readonly statement: Statement; readonly values: readonly unknown[] }[] => {
  const removed = Map.groupBy(
    writes.filter((write) => 'remove' in write),
    ({ remove }) => remove,
  );
  const upserted = Map.groupBy(
    writes.filter((write) => 'upsert' in write),
    ({ upsert }) => upsert,
  );
  return [
    ...[...removed].map(([{ remove }, set]) => ({ statement: remove, values: [set.map(({ id }) => id)] })),
    ...[...upserted].map(([{ upsert }, set]) => ({
      statement: upsert,
      values: [JSON.stringify(set.map(({ row }) => row))],
    })),
    ...writes
      .filter((write) => 'statement' in write)
      .map(({ statement, values, expect }) => ({
        statement: expecting(statement, values.length + 1),
        values: [...values, expect],
      })),
  ];
};

/** The same statement, which fails on the server unless it touches (or finds) as many rows as its last value says. */
const expecting = ({ name, text }: Statement, parameter: number): Statement => ({
  name: `${name}-expecting`,
  text: /^\s*select\b/i.test(text)
    ? `select expect($${parameter}::bigint, (select count(*) from (${text}) found))`
    : `with touched as (${text} returning 1) select expect($${parameter}::bigint, (select count(*) from touched))`,
});
