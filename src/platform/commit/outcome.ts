/** How a command ends, as values: what the edge turns into an answer. */
import type { RecordedEvent } from '../event-store/event.ts';
import type { Published } from '../event-store/published.ts';
import type { Refusal } from '../resilience/refusal.ts';
import type { InputError } from '../schema/validator.ts';

/** What a command comes to: planned, and true once it is committed. */
export type Done<Row> = {
  readonly kind: 'done';
  /** The read model's row after the command. */
  readonly row: Row;
  readonly version: number;
  /** False when everything was so already: nothing was appended. */
  readonly changed: boolean;
};
export type CarriedOut<Row> = Done<Row> & {
  readonly stream: string;
  /** Where the public events of the commit lie; undefined where it had none. */
  readonly published: Published | undefined;
};
export type Rejected<Code extends string> = {
  readonly kind: 'rejected';
  readonly code: Code;
  /** Which input is to blame, where the code alone does not say it. */
  readonly errors?: readonly InputError[];
};
/** The version that the caller named is not the current one. */
export type Stale = {
  readonly kind: 'stale';
  readonly expected: number;
  readonly current: number;
  /** All events of the stream: what happened since `expected` is told from them. */
  readonly past: readonly RecordedEvent[];
};
/** The idempotency key was used before, or is being used at this moment by another process. */
export type Repeated = { readonly kind: 'seen' | 'in-flight' };
/**
 * Whoever gave the command takes it back before anything was decided: it is not theirs to give any more, or there is
 * another way to go. No rule refused anything, so nobody is told of it and nothing is counted.
 */
export type Withdrawn = { readonly kind: 'withdrawn' };
export const WITHDRAWN: Withdrawn = { kind: 'withdrawn' };

export type Outcome<Row, Code extends string> = CarriedOut<Row> | Rejected<Code> | Stale | Repeated;
/** The outcome of a refused command. `errors` say which of its fields are to blame, where some are. */
export const rejected = <const Code extends string>(code: Code, ...errors: InputError[]): Rejected<Code> =>
  errors.length > 0 ? { kind: 'rejected', code, errors } : { kind: 'rejected', code };

/** Other processes write the same streams faster than this one could: nothing was done, try again. */
export class Contended extends Error {
  override readonly name = 'Contended';
  readonly refusal: Refusal = 'busy';
}
