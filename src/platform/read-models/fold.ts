/** An inline read model: rows folded from one stream each, written whole in the commit that changed them. */
import type { Event, Evolve, Meta } from '../decider.ts';
import { evolve } from '../event-store/evolve.ts';
import type { Table } from './table.ts';

type Folded = { readonly id: string; readonly version: number };
/** What a handler answers: the row but for its version, which is always that of the event. */
type Unversioned<Row extends Folded> = Omit<Row, 'version'>;

export type ReadModel<Row, E extends Event> = {
  readonly table: Table<Row>;
  /** The row after one more event of its stream. Throws when a stream does not begin as streams do. */
  readonly apply: (row: Row | undefined, event: E, meta: Meta) => Row;
};

/**
 * A fold whose row carries its stream’s version. Its `apply` throws where a stream begins or goes on with an event
 * that cannot come there.
 */
export const readModel = <Row extends Folded, E extends Event, Birth extends E['type']>(
  table: Table<Row>,
  handlers: Evolve<Unversioned<Row>, E, Birth>,
): ReadModel<Row, E> => {
  const apply = evolve(handlers);
  return {
    table,
    // Row is its unversioned part and a version by Folded's definition, which the compiler cannot put together again.
    apply: (row, event, meta) => ({ ...apply(row, event, meta), version: meta.version }) as Row,
  };
};
