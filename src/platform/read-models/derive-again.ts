/** Making anew what streams leave beside their events (rows, due times, reservations), where it lags behind them. */

import type { CommandKit } from '../commit/command-handler.ts';
import type { Commit } from '../commit/commit.ts';
import { streamId } from '../event-store/event.ts';
import { type Database, statement } from '../sql/database.ts';
import type { InlineReadModel } from './inline.ts';
import { streamRange } from './replay.ts';

/** Somebody else holds by now what a stream had reserved. */
export type TakenByOthers = { readonly id: string; readonly scope: string };

const HELD = statement(
  'derive-held',
  `select r.scope, r.value, r.holder from reservation r
     join json_to_recordset($1::json) h(scope text, value text) on h.scope = r.scope and h.value = r.value`,
);
type Held = { readonly scope: string; readonly value: string; readonly holder: string };
// A page is read in a moment, however many streams there are.
const behindOf = ({ name, streamPrefix }: InlineReadModel) =>
  statement(
    `derive-behind-${name}`,
    `select e.stream, r.version is distinct from e.version as behind
     from (select stream, max(version) as version from event where stream > $1 and stream < $2
           group by stream order by stream limit 500) e
       left join ${name} r on r.id = substr(e.stream, ${`${streamPrefix}-`.length + 1})::uuid
     order by e.stream`,
  );
type Page = readonly { readonly stream: string; readonly behind: boolean }[];
async function* streamsBehind(database: Database, model: InlineReadModel): AsyncGenerator<string> {
  const [start, end] = streamRange(model.streamPrefix);
  for (let after: string | undefined = start; after !== undefined; ) {
    const page: Page = await database.read(behindOf(model), [after, end]);
    for (const { stream, behind } of page) if (behind) yield stream;
    after = page.at(-1)?.stream;
  }
}

/**
 * For a service whose store got events behind its back. A stream at a time, each in one commit: broken off and run again,
 * it goes on. Who finds a value held by another only gives up its own, and comes again after all the others: by then it may
 * be free. Answers the reservations that could not be taken again; rejects where a commit is refused.
 */
export const deriveAgain = async (
  database: Database,
  { store, executor }: Pick<CommandKit, 'store' | 'executor'>,
  models: readonly InlineReadModel[],
): Promise<readonly TakenByOthers[]> => {
  const commit = async (stream: string, parts: Pick<Commit, 'take' | 'release' | 'writes'>): Promise<void> => {
    const { verdict } = await executor.commit({ appends: [], idempotency: undefined, ...parts });
    if (verdict !== 'accepted') throw new Error(`${stream} could not be made anew: ${verdict}; run the command again`);
  };
  const load = async (model: InlineReadModel, stream: string) => {
    const id = streamId(stream);
    const { writes, holds, released: release } = model.derive(id, await store.load(stream));
    const held = await database.read<Held>(HELD, [JSON.stringify(holds)]);
    const holderOf = new Map(held.map(({ scope, value, holder }) => [`${scope} ${value}`, holder]));
    const take = holds.filter(({ scope, value }) => !holderOf.has(`${scope} ${value}`));
    const others = holds.filter(({ scope, value }) => (holderOf.get(`${scope} ${value}`) ?? id) !== id);
    return { parts: { take, release, writes }, others: others.map(({ scope }) => ({ id, scope })) };
  };

  const waiting: { readonly model: InlineReadModel; readonly stream: string }[] = [];
  for (const model of models)
    for await (const stream of streamsBehind(database, model)) {
      const { parts, others } = await load(model, stream);
      if (others.length > 0) waiting.push({ model, stream });
      await commit(stream, others.length > 0 ? { take: [], release: parts.release, writes: [] } : parts);
    }
  const taken: TakenByOthers[] = [];
  for (const { model, stream } of waiting) {
    const { parts, others } = await load(model, stream);
    taken.push(...others);
    await commit(stream, parts);
  }
  return taken;
};
