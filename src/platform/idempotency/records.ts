/** What was done under an Idempotency-Key. Records are written in the commit of the command that they tell of. */
import type { IdempotencyScope, Result } from '../commit/commit.ts';
import { type Database, statement } from '../sql/database.ts';

export type DoneBefore = { readonly bodyHash: string; readonly results: readonly Result[] };
export type IdempotencyRecords = {
  find(scope: IdempotencyScope): Promise<DoneBefore | undefined>;
  /** Forgets what is older than a day, a batch at a time; answers how many. Until then a key stays used. */
  forgetOld(): Promise<number>;
};

const FIND = statement(
  'idempotency-find',
  `select body_hash as "bodyHash", results from idempotency
   where principal = $1 and route = $2 and key = $3`,
);
// Batches, so that no transaction writes for long: a long one would hold back every feed of the cluster.
const FORGET = statement(
  'idempotency-forget',
  `delete from idempotency where ctid = any(array(
     select ctid from idempotency where created_at < now() - interval '24 hours' limit 1000)) returning 1`,
);

/** Of one service, over its own database. `find` answers undefined for a key that is free. */
export const idempotencyRecords = (database: Database): IdempotencyRecords => ({
  find: async ({ principal, route, key }) => (await database.read<DoneBefore>(FIND, [principal, route, key]))[0],
  forgetOld: async () => {
    let forgotten = 0;
    for (let batch = 1; batch > 0; ) {
      batch = (await database.write(FORGET, [])).length;
      forgotten += batch;
    }
    return forgotten;
  },
});
