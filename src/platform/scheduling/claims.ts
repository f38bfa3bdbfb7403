/** Claiming due work in the database, whose clock alone counts. What may be claimed, and what a token is worth: lease.ts. */
import type { RowWrite } from '../commit/commit.ts';
import { type Database, statement } from '../sql/database.ts';

/** A piece of work that is ours until somebody takes it over, which nobody may do before the lease is over. */
export type Claim = {
  /** The aggregate's. */
  readonly id: string;
  readonly token: string;
  /** This one counted; above 1, those before it failed, or died. */
  readonly claims: number;
  /** RFC 3339 to the millisecond, by the database's clock. */
  readonly now: string;
  /** For the commit that settles the work: ends the lease, and lets the commit miss when it is not ours any more. */
  readonly release: RowWrite;
  /** Whether nobody has taken it over so far. What this answers may be old already; `release` decides. */
  isHeld(): Promise<boolean>;
};
export type Claimed = {
  readonly claims: readonly Claim[];
  /** ms until something becomes due that is not so yet; null = nothing will. */
  readonly nextIn: number | null;
};

// The first look is at the moment when the statement began; another process may have claimed since. So what lies there is
// judged again when it is written, by the clock of that moment: by the earlier one, a lease that was just begun would
// begin in the future, and be taken for one of a clock that was set back.
const CLAIM = statement(
  'lease-claim',
  `with free as (
     select s.id from schedule s
     where s.stream_prefix = $1 and s.due_at <= statement_timestamp() and not exists (
       select from lease l where l.stream_prefix = s.stream_prefix and l.id = s.id
         and l.until > statement_timestamp() and l.since <= statement_timestamp())
     order by s.due_at limit $2
     for update skip locked
   ), taken as (
     insert into lease as held (stream_prefix, id, token, since, until, claims)
     select $1, free.id, gen_random_uuid(), clock_timestamp(), clock_timestamp() + $3 * interval '1 millisecond', 1
     from free
     on conflict (stream_prefix, id) do update
       set token = excluded.token, since = excluded.since, until = excluded.until, claims = held.claims + 1
       where held.until <= clock_timestamp() or held.since > clock_timestamp()
     returning id, token, claims
   )
   select taken.*, date_trunc('milliseconds', statement_timestamp()) as now, (
     select extract(epoch from min(due_at) - statement_timestamp())::float8 * 1000 from schedule
     where stream_prefix = $1 and due_at > statement_timestamp()) as "nextIn"
   from (values (1)) always left join taken on true`,
);
const RELEASE = statement('lease-release', 'delete from lease where stream_prefix = $1 and id = $2 and token = $3');
const HELD = statement('lease-held', 'select 1 from lease where stream_prefix = $1 and id = $2 and token = $3');
const POSTPONE = statement(
  'lease-postpone',
  `update lease set since = clock_timestamp(), until = clock_timestamp() + $4 * interval '1 millisecond'
   where stream_prefix = $1 and id = $2 and token = $3`,
);
const FORGET = statement(
  'lease-forget',
  `delete from lease l where l.stream_prefix = $1 and l.until <= statement_timestamp()
     and not exists (select from schedule s where s.stream_prefix = l.stream_prefix and s.id = l.id)`,
);

type Found = { readonly now: string; readonly nextIn: number | null } & (
  | { readonly id: string; readonly token: string; readonly claims: number }
  | { readonly id: null }
);

/**
 * Claims up to `limit` pieces of work of the streams of a prefix that are due and that nobody holds, for `lease` ms, the
 * longest due first; in a transaction of its own, so that whoever dies at the work has died with the claim counted.
 * Rejects as every write does; then it may have claimed, and the leases run out.
 */
export const claimDue = async (
  database: Database,
  streamPrefix: string,
  limit: number,
  lease: number,
): Promise<Claimed> => {
  const found = await database.write<Found>(CLAIM, [streamPrefix, limit, lease]);
  const claims = found.flatMap((row): readonly Claim[] => {
    if (row.id === null) return [];
    const { id, token, claims, now } = row;
    const ours = [streamPrefix, id, token];
    return [
      {
        id,
        token,
        claims,
        now,
        release: { statement: RELEASE, values: ours, expect: 1 },
        isHeld: async () => (await database.read(HELD, ours)).length === 1,
      },
    ];
  });
  return { claims, nextIn: found[0]?.nextIn ?? null };
};

/** Lets nobody claim it for so many ms; without effect when it is not ours any more. The count of claims stays. */
export const postpone = async (
  database: Database,
  streamPrefix: string,
  { id, token }: Pick<Claim, 'id' | 'token'>,
  ms: number,
): Promise<void> => {
  await database.write(POSTPONE, [streamPrefix, id, token, ms]);
};

/** Drops what is left of claims on streams that had something due then, and have nothing any more. */
export const forgetOld = async (database: Database, streamPrefix: string): Promise<void> => {
  await database.write(FORGET, [streamPrefix]);
};
