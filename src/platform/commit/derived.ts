/** What a stream leaves beside its events: its row, when it is due by itself, and what it reserves. Made of the events alone. */
import type { Event } from '../decider.ts';
import type { RecordedEvent } from '../event-store/event.ts';
import { evolve } from '../event-store/evolve.ts';
import { scheduleRow } from '../scheduling/schedule.ts';
import type { Aggregate } from './aggregate.ts';
import type { Reservation, RowWrite } from './commit.ts';

export type Derived = {
  readonly writes: readonly RowWrite[];
  readonly holds: readonly Reservation[];
  /** What it held once, and gave up. */
  readonly released: readonly Reservation[];
};

/** `past`: all events of the stream, in order. Pure. */
export const derivedFrom = <
  State,
  Command,
  E extends Event,
  Code extends string,
  Birth extends E['type'],
  Row,
  Taken extends string,
>(
  { streamPrefix, decider, readModel, nextDue, reservations }: Aggregate<State, Command, E, Code, Birth, Row, Taken>,
  id: string,
  past: readonly RecordedEvent<E>[],
): Derived => {
  const step = evolve(decider);
  const held = new Map<string, Reservation>();
  const released = new Map<string, Reservation>();
  let state: State | undefined;
  let row: Row | undefined;
  for (const { event, meta } of past) {
    const { take = [], release = [] } = reservations?.(event, state) ?? {};
    for (const { scope, value } of release) {
      held.delete(`${scope} ${value}`);
      released.set(`${scope} ${value}`, { scope, value, holder: id });
    }
    for (const { scope, value } of take) {
      released.delete(`${scope} ${value}`);
      held.set(`${scope} ${value}`, { scope, value, holder: id });
    }
    state = step(state, event, meta);
    row = readModel.apply(row, event, meta);
  }
  const version = past.length;
  const dueAt = state === undefined ? null : (nextDue?.(state) ?? null);
  const { table } = readModel;
  return {
    writes: [
      row === undefined ? { remove: table, id } : { upsert: table, row: row as object },
      scheduleRow(dueAt, { id, version, streamPrefix }),
    ],
    holds: [...held.values()],
    released: [...released.values()],
  };
};
