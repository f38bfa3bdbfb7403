/** All that lies new in somebody's inbox at a moment becomes read: in several commits, for no transaction writes for long. */
import type { UserId } from '#contracts/user.ts';
import { type CommandKit, carryOut, plansOf } from '#platform/commit/command-handler.ts';
import type { StreamVersion } from '#platform/commit/commit.ts';
import { Contended, WITHDRAWN } from '#platform/commit/outcome.ts';
import { type CommandContext, planEach } from '#platform/commit/plan.ts';
import { streamName } from '#platform/event-store/event.ts';
import { type Published, together } from '#platform/event-store/published.ts';
import type { Database } from '#platform/sql/database.ts';
import { findUnread } from '../read-models/inbox-list.ts';
import { inboxEntries } from './aggregates.ts';

const AT_ONCE = 100;
const ROUNDS = 1_000;

export type ReadAll = {
  readonly count: number;
  readonly published: Published | undefined;
  /** One of the entries, as this left it. */
  readonly one: StreamVersion | undefined;
};

/** How many became read. Killed in between, those that did stay so, and asking again goes on with the rest. */
export const readAll = async (
  { commands, database }: { readonly commands: CommandKit; readonly database: Database },
  by: UserId,
  context: CommandContext,
): Promise<ReadAll> => {
  let done: ReadAll = { count: 0, published: undefined, one: undefined };
  for (let round = 0; round < ROUNDS; round += 1) {
    // What comes in meanwhile was not seen by whoever asked.
    const ids = await findUnread(database, by, context.occurredAt, AT_ONCE);
    if (ids.length === 0) return done;
    const streams = ids.map((id) => streamName(inboxEntries.streamPrefix, id));
    let marked = 0;
    const outcome = await carryOut(commands, 'UpdateInboxEntry', streams, {}, async () => {
      const command = { type: 'UpdateInboxEntry', by, read: true } as const;
      const plans = await planEach(commands, inboxEntries, ids, command, context);
      const [first, ...others] = plans.filter(({ done }) => done.changed);
      if (first === undefined) return WITHDRAWN;
      marked = 1 + others.length;
      return plansOf(first, ...others);
    });
    if (outcome.kind !== 'done') continue; // another was faster, and left nothing of these
    const { stream, version, published } = outcome;
    done = {
      count: done.count + marked,
      published: together([done.published, published]),
      one: { stream, version },
    };
  }
  throw new Contended('notifications come in as fast as they are read');
};
