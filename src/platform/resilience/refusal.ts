/** Errors of ours that say themselves what a caller is to make of them. */

/** unavailable: nothing was done, a part is away; busy: nothing was done, too many at once; outcome-unknown: ask or repeat. */
export type Refusal = 'unavailable' | 'busy' | 'outcome-unknown';

/** What an error means for whoever waits for an answer; undefined for a bug. */
export const refusalOf = (error: unknown): Refusal | undefined =>
  error instanceof Error && 'refusal' in error ? (error.refusal as Refusal) : undefined;

/** A bounded queue of ours is full: come back later. */
export class Overloaded extends Error {
  override readonly name = 'Overloaded';
  readonly refusal: Refusal = 'busy';
}
