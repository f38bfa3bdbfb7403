/** An aggregate's registration: its decider, and what the platform must know to carry its commands out. */
import type { Decider, Event } from '../decider.ts';
import type { ReadModel } from '../read-models/fold.ts';
import type { Reservation } from './commit.ts';

/** A reservation to take, and the rejection when somebody else has it. */
export type Wanted<Code extends string> = Omit<Reservation, 'holder'> & { readonly otherwise: Code };

export type Aggregate<
  State,
  Command,
  E extends Event,
  Code extends string,
  Birth extends E['type'],
  Row,
  Taken extends string,
> = {
  /** The first part of the stream's name. */
  readonly streamPrefix: string;
  readonly decider: Decider<State, Command, E, Code, Birth>;
  /** The person an event is about, whose key seals it; asked of the state after the event. */
  readonly subject: (state: State, id: string) => string | null;
  readonly readModel: ReadModel<Row, E>;
  /** The rejection that says that there is nothing here to see; it is answered before a stale version is. */
  readonly notFound?: Code;
  /**
   * When something is due on this aggregate by itself, as an instant (RFC 3339, UTC), or null: kept with each commit as
   * the stream's one row in the schedule, where a worker finds it.
   */
  readonly nextDue?: (state: State) => string | null;
  /** The reservations that go with new events. */
  readonly reservations?: (
    event: E,
    before: State | undefined,
  ) => { readonly take: readonly Wanted<Taken>[]; readonly release: readonly Omit<Reservation, 'holder'>[] };
};
/** Answers its argument: what it adds is that the types of all parts are inferred from each other, and checked here. */
export const aggregate = <
  State,
  Command,
  E extends Event,
  Code extends string,
  Birth extends E['type'],
  Row,
  Taken extends string = never,
>(
  registration: Aggregate<State, Command, E, Code, Birth, Row, Taken>,
): Aggregate<State, Command, E, Code, Birth, Row, Taken> => registration;
