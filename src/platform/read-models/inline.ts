/** An inline read model without its types, so that a service can list all that it has, and an operator see to them. */
import type { Aggregate } from '../commit/aggregate.ts';
import { type Derived, derivedFrom } from '../commit/derived.ts';
import type { Event, Meta } from '../decider.ts';
import type { RecordedEvent } from '../event-store/event.ts';
import { eventsOf } from '../event-store/store.ts';
import type { Table } from './table.ts';

export type InlineReadModel = {
  readonly kind: 'inline';
  /** Its table's. */
  readonly name: string;
  readonly table: Table<unknown>;
  /** Whose streams it is folded from. */
  readonly streamPrefix: string;
  /** The row after one more event of its stream. */
  readonly apply: (row: unknown, event: Event, meta: Meta) => unknown;
  /** All that the events of a stream leave beside them. */
  readonly derive: (id: string, past: readonly RecordedEvent[]) => Derived;
};

/** The read model of an aggregate's registration. */
export const inlineReadModel = <
  State,
  Command,
  E extends Event,
  Code extends string,
  Birth extends E['type'],
  Row,
  Taken extends string,
>(
  aggregate: Aggregate<State, Command, E, Code, Birth, Row, Taken>,
): InlineReadModel => {
  const { streamPrefix, readModel } = aggregate;
  return {
    kind: 'inline',
    name: readModel.table.name,
    table: readModel.table,
    streamPrefix,
    // What was folded here before is a row of ours, and what lies in these streams are its events.
    apply: (row, event, meta) => readModel.apply(row as Row | undefined, event as E, meta),
    derive: (id, past) => derivedFrom(aggregate, id, eventsOf<E>(past)),
  };
};
