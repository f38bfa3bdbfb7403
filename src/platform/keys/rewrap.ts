/**
 * Gives every subject key another wrapping when MASTER_KEY gets a new secret, while services go on making and using keys.
 * What is sealed with a key stays as it is: only the key's own wrapping changes.
 */
import { type Database, type Session, statement } from '../sql/database.ts';
import { secretsIn } from './secret-list.ts';
import { createWrapping } from './wrapping.ts';

export type RewrapOptions = {
  /** As the owner of the schema of keys, without a statement timeout. */
  readonly database: Pick<Database, 'openSession'>;
  readonly masterKey: string;
  /** Told after every page. */
  readonly report?: (progress: Progress) => void;
  /** Called after every page that was written, by its name: tests kill the process there. */
  readonly failPoint?: (name: string) => void;
};
export type Progress = { readonly step: 'wrap' | 'count'; readonly keys: number; readonly total: number };
/** How many keys there are; destroyed ones are none. */
export type Census = {
  /** By the secret that they lie under, in the order of MASTER_KEY. */
  readonly under: readonly number[];
  /** Those that none of these opens. */
  readonly none: number;
};

const TOTAL = statement('rewrap-total', 'select count(wrapped) as count from subject_key');
const PAGE = statement(
  'rewrap-page',
  'select subject, wrapped from subject_key where subject > $1 and wrapped is not null order by subject limit 500',
);
// Only where it still is what was read: who destroyed it meanwhile, or wrapped it anew, has the last word. Rows are locked
// in one order, so that two runs at once wait for each other instead of for ever.
const SWAP = statement(
  'rewrap-swap',
  `with due as (
     select k.subject, n.fresh from subject_key k
     join unnest($1::text[], $2::bytea[], $3::bytea[]) as n (subject, old, fresh)
       on k.subject = n.subject and k.wrapped = n.old
     order by k.subject for no key update of k)
   update subject_key k set wrapped = due.fresh from due where k.subject = due.subject`,
);

/**
 * Wraps with the newest secret what lies under an older one; answers how many keys that were, and then looks at all once
 * more, for a process that was not restarted may have made some with an older one. Each page is a transaction: killed
 * anywhere, the next run does the rest.
 */
export const rewrap = async (options: RewrapOptions): Promise<Census & { readonly wrapped: number }> => {
  const { masterKey, failPoint = () => undefined } = options;
  const { wrap, unwrap } = createWrapping(masterKey);
  let wrapped = 0;
  await throughPages(options, 'wrap', async (session, rows) => {
    const due = rows.flatMap(({ subject, wrapped: old }) => {
      const found = unwrap(old, subject);
      return found && found.under > 0 ? [{ subject, old, fresh: wrap(found.key, subject) }] : [];
    });
    if (due.length === 0) return;
    const columns = [due.map(({ subject }) => subject), due.map(({ old }) => old), due.map(({ fresh }) => fresh)];
    wrapped += (await session.query(SWAP, columns)).count;
    failPoint('rewrap-page');
  });
  return { wrapped, ...(await census(options)) };
};

/** Whether anything was ever sealed with a key that is still there. */
export const hasKeys = async (database: Pick<Database, 'read'>): Promise<boolean> =>
  (await database.read(FIRST, [])).length > 0;
const FIRST = statement('keys-first', 'select 1 from subject_key where wrapped is not null limit 1');

/** Changes nothing. */
export const census = async (options: RewrapOptions): Promise<Census> => {
  const { unwrap } = createWrapping(options.masterKey);
  const under: number[] = secretsIn(options.masterKey).map(() => 0);
  let none = 0;
  await throughPages(options, 'count', async (_, rows) => {
    for (const { subject, wrapped } of rows) {
      const found = unwrap(wrapped, subject);
      if (found) under[found.under] = (under[found.under] ?? 0) + 1;
      else none += 1;
    }
  });
  return { under, none };
};

type Row = { readonly subject: string; readonly wrapped: Buffer };
const throughPages = async (
  { database, report = () => undefined }: RewrapOptions,
  step: Progress['step'],
  each: (session: Session, rows: readonly Row[]) => Promise<void>,
): Promise<void> => {
  const session = await database.openSession();
  try {
    const total = (await session.query<{ count: number }>(TOTAL)).rows[0]?.count ?? 0;
    let keys = 0;
    report({ step, keys, total });
    for (let after = ''; ; ) {
      const { rows } = await session.query<Row>(PAGE, [after]);
      const last = rows.at(-1);
      if (last === undefined) return;
      await each(session, rows);
      after = last.subject;
      keys += rows.length;
      report({ step, keys, total });
    }
  } finally {
    await session.close();
  }
};
