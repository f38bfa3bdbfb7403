/**
 * Whether a store was set back to an earlier moment: by a backup, a snapshot of its disk, a replica that was promoted
 * before it had everything. What the other services have heard since would be said again, and otherwise. Who knows is the
 * broker: where it holds an event that the store lacks, the store is neither written to nor published from.
 *
 *   a life of the store that nobody looked at ──the broker's newest events are all here──► it may be written to
 *        │             ▲                    └──one of them is not──► it never is: the cure is named
 *        └─ the broker ┘ cannot be asked: 503 to whoever writes, and another look
 *
 * A life (see CURRENT_ERA) ends with each restart of the database's server, for its disk may have been changed meanwhile.
 * So a server that restarts while the broker is away is not written to before that is back. Rejected: to go by the
 * timeline alone, which a snapshot does not change.
 *
 * What a relay had under way while a primary failed may reach the broker after the look; only a replica that acknowledges
 * each commit (synchronous_commit) closes that gap.
 */
import type { FeedPosition } from '../event-store/event.ts';
import { CURRENT_ERA } from '../event-store/store.ts';
import { inTime } from '../lifecycle/in-time.ts';
import { type Database, statement } from '../sql/database.ts';
import { DatabaseUnavailable } from '../sql/errors.ts';
import { errorInWords } from '../telemetry/error-words.ts';
import type { Logger } from '../telemetry/logger.ts';
import { topicsOfSource } from './delivery.ts';

/** An event that a broker holds, and its place in its store's feed. */
type Held = { readonly id: string; readonly at: FeedPosition };
/** A broker that can be asked what it holds. */
export type Holdings = {
  /**
   * The events of a source among the last records of each partition of some topics: more of them than a relay sends at
   * once, or however many more it takes to find one. Rejects where the broker cannot be asked.
   */
  newest(source: string, topics: readonly string[]): Promise<readonly Held[]>;
};

/** The store was restored to a moment before events that the broker holds, and has not all of it again. */
class StoreSetBack extends Error {
  override readonly name = 'StoreSetBack';
  /** For health: in a few words. */
  readonly detail: string;
  constructor(source: string, detail: string, why: string, cure: string) {
    super(
      `${why}. Nothing is written or published. Stop the service, and ${cure}: taskwire events restore --from kafka --service ${source}`,
    );
    this.detail = detail;
  }
}
const lacking = (source: string, missing: number): StoreSetBack =>
  new StoreSetBack(
    source,
    'the broker holds events that the store lacks',
    `the broker holds events of the ${source} service that its store lacks (${missing} of the newest): the store was set back`,
    'bring them back',
  );
const brokenOff = (source: string): StoreSetBack =>
  new StoreSetBack(
    source,
    'what the broker holds was not all brought back',
    `the store of the ${source} service was set back, and bringing back what the broker holds has not ended`,
    'run that again',
  );

export type SetBackGuard = {
  /**
   * Resolves once the service may begin: at once where this life of the store was looked at before and the broker is away
   * or slow, otherwise after a look. Rejects with StoreSetBack.
   */
  begin(): Promise<void>;
  /** Resolves once a look of this process has found all there. Rejects with StoreSetBack. */
  looked(): Promise<void>;
  /**
   * Resolves where the store may be written to in this life of its. Rejects with DatabaseUnavailable where that is not
   * known after 1.5 s, or must not be.
   */
  admit(life: string): Promise<void>;
  /** Why it is not written to; undefined while it may be. */
  refusal(): StoreSetBack | undefined;
};

type Options = {
  readonly source: string;
  readonly database: Database;
  readonly publisher: Holdings;
  readonly logger: Logger;
  /** Waits so many ms, less where this process stops. */
  readonly rest: (ms: number) => Promise<void>;
  readonly isStopping: () => boolean;
};

const FIRST_LOOK = 3_000;
const ADMISSION = 1_500;
const LONGEST_REST = 2_000;
/** Ids of a statement: a broker of many partitions holds a hundred thousand that are newest. */
const AT_ONCE = 5_000;

const SEEN_LIFE = statement('relay-seen-life', 'select seen_life as life from relay');
const SEEN = statement('relay-seen', 'update relay set seen_life = $1 returning 1');
const LACKING = statement(
  'relay-lacking',
  'select count(*)::integer as count from unnest($1::uuid[]) known(id) where not exists (select from event e where e.id = known.id)',
);
const RESTORING = statement('relay-restoring', 'select restoring from relay');
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Of a store: nobody looked yet; all was there in a life of its, by a look of this copy or of another; or it was set back. */
type Known =
  | { readonly kind: 'unknown' }
  | { readonly kind: 'seen'; readonly life: string; readonly by: 'this copy' | 'another' }
  | { readonly kind: 'refused'; readonly error: StoreSetBack };

/**
 * Asks nothing until it is asked. Whoever asks while a look is under way waits for that one; a store that was found
 * set back stays refused while the process lives.
 */
export const guardAgainstSetBack = (options: Options): SetBackGuard => {
  const { source, database, publisher, logger, rest, isStopping } = options;
  let known: Known = { kind: 'unknown' };
  let looking: Promise<void> | undefined;

  const look = async (): Promise<void> => {
    const life = await currentLife(database);
    await refuseSetBack(database, publisher, source);
    await database.write(SEEN, [life]);
    known = { kind: 'seen', life, by: 'this copy' };
  };
  /** Looks until it has seen, and says each thing that it waits for once. Ends without where this process stops. */
  const lookOn = async (): Promise<void> => {
    let told = '';
    for (let tries = 0; !isStopping(); tries += 1) {
      try {
        return await look();
      } catch (error) {
        if (error instanceof StoreSetBack) {
          known = { kind: 'refused', error };
          logger.error('the store was set back', { source, error });
          throw error;
        }
        const words = errorInWords(error);
        if (words !== told) logger.warn('the relay waits for the broker', { source, error });
        told = words;
        await rest(Math.min(LONGEST_REST, 200 * 2 ** Math.min(tries, 8)));
      }
    }
  };
  /** One look at a time, whoever asks; none any more once it was refused. */
  const lookTogether = async (): Promise<void> => {
    if (known.kind === 'refused') throw known.error;
    looking ??= lookOn().finally(() => {
      looking = undefined;
    });
    await looking;
  };
  const wasSeen = async (life: string): Promise<boolean> => {
    if (known.kind === 'seen' && known.life === life) return true;
    const [row] = await database.read<{ life: string | null }>(SEEN_LIFE, []);
    if (row?.life === life && known.kind !== 'refused') known = { kind: 'seen', life, by: 'another' };
    return row?.life === life;
  };
  return {
    begin: async () => {
      const isKnown = await currentLife(database)
        .then(wasSeen)
        .catch(() => false); // a look waits until the store can be asked
      if (isKnown) await inTime(FIRST_LOOK, lookTogether());
      else await lookTogether();
    },
    looked: async () => {
      if (known.kind !== 'seen' || known.by === 'another') await lookTogether();
    },
    admit: async (life) => {
      if (known.kind !== 'refused' && !(await wasSeen(life)))
        await inTime(
          ADMISSION,
          lookTogether().catch(() => undefined), // `known` says it
        );
      const now = known;
      if (now.kind === 'refused') throw new DatabaseUnavailable(now.error, false);
      if (now.kind === 'unknown' || now.life !== life)
        throw new DatabaseUnavailable(new Error('the broker was not asked yet what it holds'), false);
    },
    refusal: () => (known.kind === 'refused' ? known.error : undefined),
  };
};

/** See CURRENT_ERA. */
export const currentLife = async (database: Database): Promise<string> => {
  const [row] = await database.write<{ life: string }>(CURRENT_ERA, []);
  if (row === undefined) throw new Error('the store did not answer');
  return row.life;
};

/**
 * Rejects with StoreSetBack where the broker holds an event that the store lacks, or where bringing such back has not ended;
 * with another error where either cannot be asked. Asked for are all that are newest, not the one with the last place: of
 * two whose commits were under way at once, a replica may have had the later one alone.
 */
export const refuseSetBack = async (database: Database, publisher: Holdings, source: string): Promise<void> => {
  const [row] = await database.read<{ restoring: boolean }>(RESTORING, []);
  if (row?.restoring) throw brokenOff(source);
  const held = await publisher.newest(source, topicsOfSource(source));
  const ids = [...new Set(held.map(({ id }) => id))].filter((id) => UUID.test(id));
  let missing = 0;
  for (let from = 0; from < ids.length; from += AT_ONCE) {
    const [counted] = await database.read<{ count: number }>(LACKING, [ids.slice(from, from + AT_ONCE)]);
    if (counted === undefined) throw new Error('the store did not answer');
    missing += counted.count;
  }
  if (missing > 0) throw lacking(source, missing);
};
