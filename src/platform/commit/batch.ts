/** Which of the waiting commits may go together, and the two trips they take. Pure. */
import type { Table } from '../read-models/table.ts';
import type { Statement } from '../sql/database.ts';
import type { Claims, Commit, Row, Verdict } from './commit.ts';

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

/** What `append` answered, as a verdict for each commit of the batch. */
export type Refused = Readonly<Record<string, readonly [Exclude<Verdict['verdict'], 'accepted' | 'missed'>, string?]>>;
export const verdictsOf = (count: number, refused: Refused): readonly Verdict[] =>
  Array.from({ length: count }, (_, n): Verdict => {
    const [verdict, detail] = refused[n] ?? ['accepted' as const];
    return verdict === 'taken' ? { verdict, scope: detail ?? '' } : { verdict };
  });

/** Trip 2: all upserts of one table as one statement, then the single statements in their order. */
export const rowStatements = (
  rows: readonly Row[],
): readonly { readonly statement: Statement; readonly values: readonly unknown[] }[] => {
  const upserts = new Map<Table<unknown>, object[]>();
  const single = rows.flatMap((row) => {
    if ('upsert' in row) {
      const set = upserts.get(row.upsert);
      if (set) set.push(row.row);
      else upserts.set(row.upsert, [row.row]);
      return [];
    }
    return [{ statement: expecting(row.statement, row.expect), values: row.values }];
  });
  return [
    ...[...upserts].map(([{ upsert }, set]) => ({ statement: upsert, values: [JSON.stringify(set)] })),
    ...single,
  ];
};

/** The same statement, which fails on the server unless it touches (or finds) just so many rows. */
const expecting = ({ name, text }: Statement, count: number): Statement => ({
  name: `${name}-expect-${count}`,
  text: /^\s*select\b/i.test(text)
    ? `select expect(${count}, (select count(*) from (${text}) found))`
    : `with touched as (${text} returning 1) select expect(${count}, (select count(*) from touched))`,
});
