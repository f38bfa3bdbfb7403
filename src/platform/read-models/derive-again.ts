/** Making anew what streams leave beside their events (rows, due times, reservations), where it lags behind them. */

import type { CommandKit } from '../commit/command-handler.ts';
import type { Commit } from '../commit/commit.ts';
import { streamId } from '../event-store/event.ts';
import { type Database, statement } from '../sql/database.ts';
import type { InlineReadModel } from './inline.ts';

/** Somebody else holds by now what a stream had reserved. */
export type TakenByOthers = { readonly id: string; readonly scope: string };

const HELD = statement(
  'derive-held',
  `select r.scope, r.value, r.holder from reservation r
     join json_to_recordset($1::json) h(scope text, value text) on h.scope = r.scope and h.value = r.value`,
);
type Held = { readonly scope: string; readonly value: string; readonly holder: string };
const behindOf = ({ name }: InlineReadModel) =>
  statement(
    `derive-behind-${name}`,
    `select e.stream from (select stream, max(version) as version from event where stream like $1 group by stream) e
       left join ${name} r on e.stream = left($1, -1) || r.id::text
     where r.version is distinct from e.version`,
  );

/**
 * For a service whose store got events behind its back. A stream at a time, each in one commit: broken off and run again,
 * it goes on. Answers the reservations that could not be taken again; rejects where a commit is refused.
 */
export const deriveAgain = async (
  database: Database,
  { store, executor }: Pick<CommandKit, 'store' | 'executor'>,
  models: readonly InlineReadModel[],
): Promise<readonly TakenByOthers[]> => {
  const others: TakenByOthers[] = [];
  for (const model of models)
    for (const { stream } of await database.read<{ stream: string }>(behindOf(model), [`${model.streamPrefix}-%`])) {
      const id = streamId(stream);
      const { writes, holds } = model.derive(id, await store.load(stream));
      const held = await database.read<Held>(HELD, [JSON.stringify(holds)]);
      const holderOf = new Map(held.map(({ scope, value, holder }) => [`${scope} ${value}`, holder]));
      const take = holds.filter(({ scope, value }) => !holderOf.has(`${scope} ${value}`));
      for (const { scope, value } of holds)
        if ((holderOf.get(`${scope} ${value}`) ?? id) !== id) others.push({ id, scope });
      const commit: Commit = { appends: [], take, release: [], writes, idempotency: undefined };
      const { verdict } = await executor.commit(commit);
      if (verdict !== 'accepted')
        throw new Error(`${stream} could not be made anew: ${verdict}; run the command again`);
    }
  return others;
};
