/**
 * An asynchronous projection: rows kept from the events of several streams or services, a little behind them. It names
 * the rows that an event touches; those are loaded once a batch, folded in memory, and written as a set together with
 * the consumer's positions. So a row is folded once from each event, whatever is delivered again.
 *
 * A row may be touched by events of several lanes, and of several sources, which are read side by side. So what is written
 * insists that the row still is as it was loaded; where it is not, the commit misses, and the batch is handled anew.
 */
import type { RowWrite } from '../commit/commit.ts';
import type { DeliveryMeta, Event } from '../decider.ts';
import type { Consumer } from '../event-bus/consumer.ts';
import { NO_EFFECTS } from '../event-bus/consumer.ts';
import type { Delivered } from '../event-bus/delivery.ts';
import type { Database } from '../sql/database.ts';
import type { Table } from './table.ts';

export type ProjectedRow = { readonly id: string };
export type Projection<Row extends ProjectedRow, E extends Event> = {
  readonly table: Table<Row>;
  /** The ids of the rows that an event touches; most touch one. */
  readonly ids: (event: E, meta: DeliveryMeta) => readonly string[];
  /** The row after the event; undefined = there is none (any more). An event without a handler does not compile. */
  readonly on: {
    readonly [T in E['type']]: (
      row: Row | undefined,
      event: Extract<E, { type: T }>,
      meta: DeliveryMeta,
      id: string,
    ) => Row | undefined;
  };
};

/** A projection as a consumer of its own. */
export const projection = <Row extends ProjectedRow, E extends Event>(
  name: string,
  { begins = 'beginning', ...definition }: Projection<Row, E> & Partial<Pick<Consumer, 'begins'>>,
): Consumer => ({
  name,
  begins,
  kind: 'projection',
  types: Object.keys(definition.on),
  table: definition.table,
  fold: folding(definition),
  handle: async ({ database }, events, commit) =>
    commit({ ...NO_EFFECTS, writes: await folding(definition)(database, definition.table, events) }),
});

/** What events make of the rows of a table of the projection's kind. */
export const folding =
  <Row extends ProjectedRow, E extends Event>(definition: Projection<Row, E>): Consumer['fold'] =>
  async (database, table, events) => {
    const rows = await loadRows(database, { ...definition, table: table as Table<Row> }, events);
    for (const event of events) rows.apply(event);
    return rows.changed();
  };

export type Rows<Row> = {
  /** Folds the event into the rows that it touches; answers the first of them as it is then. */
  apply(delivered: Delivered): Row | undefined;
  /** What is to be written of all that was folded; misses where somebody else wrote one of these rows since. */
  changed(): readonly RowWrite[];
};

/** The rows that some events touch, as they are now. The events are of the projection's types: its consumer declares them. */
export const loadRows = async <Row extends ProjectedRow, E extends Event>(
  database: Pick<Database, 'read'>,
  { table, ids, on }: Projection<Row, E>,
  events: readonly Delivered[],
): Promise<Rows<Row>> => {
  const touched = (delivered: Delivered) => ids(delivered.event as E, deliveryMetaOf(delivered));
  const wanted = [...new Set(events.flatMap(touched))];
  const found = wanted.length === 0 ? [] : await database.read<Marked<Row>>(table.findMarked, [wanted]);
  const marks = new Map(found.map(({ id, mark }) => [id, mark]));
  const rows = new Map<string, Row | undefined>(found.map((marked) => [marked.id, unmarked(marked)]));
  const changed = new Set<string>();
  return {
    apply: (delivered) => {
      const { event } = delivered;
      const meta = deliveryMetaOf(delivered);
      // The mapped type promises that the handler of a type takes that type; a look-up by a variable forgets it.
      const handler = on[event.type as E['type']] as Projection<Row, Event>['on'][string];
      const all = touched(delivered);
      for (const id of all) {
        const before = rows.get(id);
        const after = handler(before, event, meta, id);
        if (after === before) continue;
        rows.set(id, after);
        changed.add(id);
      }
      const [first] = all;
      return first === undefined ? undefined : rows.get(first);
    },
    changed: () => {
      const { insert, replace, remove } = table.marked;
      const all = [...changed].map((id) => ({ id, mark: marks.get(id), row: rows.get(id) }));
      const written = all.filter(({ mark, row }) => mark !== undefined || row !== undefined);
      const sets = Map.groupBy(written, ({ mark, row }) => {
        if (row === undefined) return remove;
        return mark === undefined ? insert : replace;
      });
      return [...sets].map(([statement, set]) => ({
        statement,
        expect: set.length,
        values: [JSON.stringify(set.map(({ id, mark, row }) => ({ ...row, id, mark })))],
      }));
    },
  };
};

/** A row as it was loaded, with what tells whether it still is so. */
type Marked<Row> = Row & { readonly mark: string };
// The rest is the row: folds never see the mark.
const unmarked = <Row>({ mark: _, ...row }: Marked<Row>): Row => row as object as Row;

/** What a fold or policy may know of an event beside its data. `late` is for policies to find out. */
export const deliveryMetaOf = ({ id, meta, topic, key }: Delivered, late = false): DeliveryMeta => ({
  eventId: id,
  streamId: meta.streamId,
  version: meta.version,
  occurredAt: meta.occurredAt,
  actor: meta.actor,
  topic,
  key,
  late,
});
