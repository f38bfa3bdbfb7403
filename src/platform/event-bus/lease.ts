/** Who of several processes does a piece of work just now. It only spares work: what is right is decided by revisions. */
import { newId } from '../keys/ids.ts';
import { type Database, statement } from '../sql/database.ts';
import type { Lease } from './bus.ts';
import type { Post } from './positions.ts';

const ACQUIRE = statement(
  'consumer-lease',
  `insert into consumer_lease (consumer, source, holder, until) values ($1, $2, $3, now() + $4 * interval '1 ms')
   on conflict (consumer, source) do update set holder = excluded.holder, until = excluded.until
   where consumer_lease.holder = excluded.holder or consumer_lease.until < now() or consumer_lease.until > excluded.until
   returning holder`,
);
const RELEASE = statement(
  'consumer-lease-release',
  'delete from consumer_lease where consumer = $1 and source = $2 and holder = $3',
);
const LEASE = 10_000;
const RENEW = 3_000;
const LOOK = 500;

/**
 * Who reads for a consumer, or carries a feed to the broker. It runs out 10 s after its holder was last heard of; one that ends far ahead was
 * given before the clock was set back.
 */
export const leaseOf = (database: Database, { consumer, source }: Post): Lease => {
  const holder = newId();
  let held = false;
  let asked = Number.NEGATIVE_INFINITY;
  return {
    acquire: async () => {
      if (performance.now() - asked < (held ? RENEW : LOOK)) return held; // each try locks the row that all want
      held = (await database.write(ACQUIRE, [consumer, source, holder, LEASE])).length > 0;
      asked = performance.now();
      return held;
    },
    release: async () => {
      if (held) await database.write(RELEASE, [consumer, source, holder]);
      held = false;
    },
  };
};
