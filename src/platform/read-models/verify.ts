/** Whether a read model is what its streams say: each row against a fold of its stream, at one moment. */
import { type Database, statement } from '../sql/database.ts';
import type { InlineReadModel } from './inline.ts';
import { type Opening, replay, streamRange } from './replay.ts';

export type Difference = {
  readonly id: string;
  /** The row is not there, says something else than its stream, or has no stream. */
  readonly fault: 'missing' | 'different' | 'surplus';
};

/**
 * Every row that differs from a replay, in no order. Writers go on meanwhile: rows and events are read in one snapshot,
 * in which a commit is either wholly or not at all, so what is answered is a fault and no delay.
 */
export const verify = async (
  database: Pick<Database, 'openSession'>,
  opening: Opening,
  model: InlineReadModel,
): Promise<readonly Difference[]> => {
  const { table, streamPrefix } = model;
  const [prefix] = streamRange(streamPrefix);
  const surplus = statement(
    `${table.name}-surplus`,
    `select id from ${table.name} t where not exists (select from event where stream = $1 || t.id)`,
  );
  const session = await database.openSession();
  try {
    await session.query('begin isolation level repeatable read read only');
    const differences: Difference[] = [];
    for await (const { rows } of replay(session, opening, model)) {
      const found = await session.query<{ id: string; here: boolean }>(table.compare, [JSON.stringify(rows)]);
      differences.push(
        ...found.rows.map(({ id, here }) => ({ id, fault: here ? ('different' as const) : ('missing' as const) })),
      );
    }
    const { rows: strangers } = await session.query<{ id: string }>(surplus, [prefix]);
    differences.push(...strangers.map(({ id }) => ({ id, fault: 'surplus' as const })));
    return differences;
  } finally {
    await session.close();
  }
};
