/**
 * Answers that cost more to make than to keep. Nothing here is the truth: whatever goes wrong is a miss, and whoever
 * asked makes the answer anew. Rights are not decided by what lies here, and a request with a Consistency-Token goes
 * past it.
 *
 * What makes an answer old is a write, and a write drops whole scopes ("the tasks of this person"). Versions keep a slow
 * reader from putting back what a write has just dropped, without any lock:
 *
 *   reader   looks here first, and is given a ticket; then reads rows in one snapshot of the database. The answer's
 *            version is that snapshot's xmin: every transaction below it is over, and was seen.
 *   writer   has committed, and before anyone is told drops the scopes of its rows, with the number of its transaction.
 *            The mark that this leaves outlives every ticket that was out.
 *   set      succeeds only above the mark: xmin > number says that the reader saw the write. It also succeeds only in
 *            the epoch that the ticket was given in, and before the ticket expires.
 *
 * An epoch ends when a drop may have been lost, and everything that was kept in it is void.
 */

/** `name` says which answer of the scope: it may be long, and personal; adapters outside this process keep a hash of it. */
export type Slot = { readonly scope: string; readonly name: string };

/** What was true of the cache before its owner began to make an answer. */
export type Ticket = {
  readonly epoch: string;
  /** ms since 1970: when an answer that is begun now ceases to hold. */
  readonly until: number;
};

/** No call rejects, and none takes longer than LONGEST ms. */
export type Cache = {
  /** The answer that is kept, or the ticket to keep another; whoever asked checks that it is of the kind expected. */
  get(slot: Slot): Promise<{ readonly value: unknown } | { readonly miss: Ticket | undefined }>;
  /** Keeps an answer, unless a write that it may not have seen was here meanwhile. Nothing waits for it. */
  set(slot: Slot, ticket: Ticket, value: unknown, version: number): Promise<void>;
  /**
   * Once it resolves, this process answers nothing of these scopes that was made before the transaction `version`; nor
   * does any other that reaches the same Redis. Where it could not be told, others may for HOLDS ms, and no longer.
   */
  drop(scopes: readonly string[], version: number): Promise<void>;
};

/** ms that an answer is kept: how old it may be where a drop was lost, and nowhere else. */
export const HOLDS = 10_000;
/** ms that a drop is remembered: a ticket's life, and as much again for clocks that differ. */
export const REMEMBERED = 2 * HOLDS;
/** ms that any call may take, once; then the part that was late is not asked again until it is back. */
export const LONGEST = 150;

/** Where others write, and nobody tells of it. */
export const NO_CACHE: Cache = {
  get: async () => ({ miss: undefined }),
  set: async () => undefined,
  drop: async () => undefined,
};
