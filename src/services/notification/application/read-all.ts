/** All that lies new in somebody's inbox at a moment becomes read: in several commits, for no transaction writes for long. */
import type { UserId } from '#contracts/user.ts';
import { type CommandKit, type CommandOptions, carryOut, plansOf } from '#platform/commit/command-handler.ts';
import type { Result, StreamVersion } from '#platform/commit/commit.ts';
import { Contended, type Repeated, WITHDRAWN } from '#platform/commit/outcome.ts';
import { type CommandContext, planEach } from '#platform/commit/plan.ts';
import { streamName } from '#platform/event-store/event.ts';
import { type Published, together } from '#platform/event-store/published.ts';
import type { Database } from '#platform/sql/database.ts';
import { findUnread } from '../read-models/inbox-list.ts';
import { inboxEntries } from './aggregates.ts';

const AT_ONCE = 100;
const ROUNDS = 1_000;

/** How many became read, and where what was published of them lies. */
export type AllRead = { readonly count: number; readonly published: Published | undefined };

/**
 * Killed in between, those that became read stay so, and asking again goes on with the rest. A key is kept behind the last
 * step; where another process was first under it, its count is the answer.
 */
export const readAll = async (
  { commands, database }: { readonly commands: CommandKit; readonly database: Database },
  by: UserId,
  context: CommandContext,
  { idempotency }: Pick<CommandOptions, 'idempotency'>,
): Promise<({ readonly kind: 'done' } & AllRead) | Repeated> => {
  const { count, published, one } = await markAll(commands, database, by, context);
  const done = { kind: 'done', count, published } as const;
  if (idempotency === undefined) return done;
  const record = { ...idempotency, results: [{ count }, ...(one ? [one] : [])] };
  const { verdict } = await commands.executor.commit({
    appends: [],
    take: [],
    release: [],
    writes: [],
    idempotency: record,
  });
  return verdict === 'accepted' ? done : { kind: 'in-flight' };
};

/** The answer of before, out of what was kept with its key. */
export const readAllBefore = async ({ store }: CommandKit, [counted, one]: readonly Result[]): Promise<AllRead> => {
  if (counted === undefined) throw new Error('an idempotency record names no count');
  return {
    // The first of them were kept with the count as the version of a stream that never was.
    count: 'count' in counted ? counted.count : counted.version,
    published: one && 'stream' in one ? await store.publishedWith(one.stream, one.version) : undefined,
  };
};

/** `one` is one of the entries, as this left it. */
type Marked = AllRead & { readonly one: StreamVersion | undefined };
const markAll = async (
  commands: CommandKit,
  database: Database,
  by: UserId,
  context: CommandContext,
): Promise<Marked> => {
  let all: Marked = { count: 0, published: undefined, one: undefined };
  for (let round = 0; round < ROUNDS; round += 1) {
    // What comes in meanwhile was not seen by whoever asked.
    const ids = await findUnread(database, by, context.occurredAt, AT_ONCE);
    if (ids.length === 0) return all;
    const streams = ids.map((id) => streamName(inboxEntries.streamPrefix, id));
    let marked = 0;
    const outcome = await carryOut(commands, 'UpdateInboxEntry', streams, {}, async () => {
      const command = { type: 'UpdateInboxEntry', by, read: true } as const;
      const plans = await planEach(commands, inboxEntries, ids, command, context);
      const [first, ...others] = plans.filter(({ done }) => done.changed);
      if (first === undefined) return WITHDRAWN; // another was faster, and left nothing of these
      marked = 1 + others.length;
      return plansOf(first, ...others);
    });
    if (outcome.kind !== 'done') continue;
    const { stream, version, published } = outcome;
    all = { count: all.count + marked, published: together([all.published, published]), one: { stream, version } };
  }
  throw new Contended('notifications come in as fast as they are read');
};
