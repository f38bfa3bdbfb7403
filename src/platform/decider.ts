/** The only platform file that a domain imports: the words in which an aggregate is told. */

declare const brand: unique symbol;
/** A value whose making was checked (an id, a title, an address). Made only at the edge, by a schema or a parse. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** What a personal field reads as after its subject was erased. Not null: null means "cleared by the user". */
export type Erased = { readonly erased: true };
/** A field that is sealed with its subject's key. Whoever reads it must say what an erased one means to them. */
export type Personal<T> = T | Erased;
/** Whether a personal field reads as erased. */
export const isErased = (value: unknown): value is Erased =>
  typeof value === 'object' && value !== null && 'erased' in value && value.erased === true;
/** The clear value, or null once its subject is erased: for rows and answers, where both look the same. */
const clearOrNull = <T>(value: Personal<T>): T | null => (isErased(value) ? null : value);

/** A fact: past tense, JSON-safe data. */
export type Event<Type extends string = string, Data = unknown> = { readonly type: Type; readonly data: Data };

/** What the platform knows of a stored event beside its data. */
export type Meta = {
  /** The aggregate's id: the stream's name without its prefix. */
  readonly streamId: string;
  /** 1 for the first event of the stream, without gaps. */
  readonly version: number;
  /** RFC 3339, UTC. */
  readonly occurredAt: string;
  /** The id of the user who asked for it, or the name of the process that did. */
  readonly actor: string;
};

/** What a policy or projection knows of an event of somebody else beside its data. */
export type DeliveryMeta = Pick<Meta, 'streamId' | 'version' | 'occurredAt' | 'actor'> & {
  readonly eventId: string;
  readonly topic: string;
  /** What orders it among others of its topic. */
  readonly key: string;
  /** It is handled so long after it was recorded that a policy is to record what it would have done, and not do it. */
  readonly late: boolean;
};

/** A command is known by its name: what is asked for, in the domain's words. */
export type Named = { readonly type: string };

/** A wish refused, by a stable code; a value, never thrown. */
export type Rejection<Code extends string = string> = { readonly rejected: Code };
/** What a decider answers instead of events. */
export const reject = <const Code extends string>(rejected: Code): Rejection<Code> => ({ rejected });
/** Whether a decider refused. No other answer of it has a field `rejected`. */
export const isRejection = <Code extends string>(value: object): value is Rejection<Code> => 'rejected' in value;

/**
 * One stream folded into a state, a row or a timer. Events that begin a stream take no state; the others cannot be
 * called without one; an event without a handler does not compile.
 */
export type Evolve<State, E extends Event, Birth extends E['type']> = {
  readonly starts: { readonly [T in Birth]: (event: Extract<E, { type: T }>, meta: Meta) => State };
  readonly continues: {
    readonly [T in Exclude<E['type'], Birth>]: (state: State, event: Extract<E, { type: T }>, meta: Meta) => State;
  };
};

/** An aggregate: a fold, and the decision what a command means in a state. `[]` = already so, nothing to do. */
export type Decider<State, Command, E extends Event, Code extends string, Birth extends E['type']> = Evolve<
  State,
  E,
  Birth
> & { readonly decide: (state: State | undefined, command: Command) => readonly E[] | Rejection<Code> };

/**
 * The changes of a merge-patch against what is: `{field: {from, to}}` for each field that really differs.
 * Equality is by JSON, since fields are JSON values and an erased field never equals a clear one.
 */
export const changesBetween = <Fields extends object>(current: Fields, wanted: Partial<Fields>): Changes<Fields> => {
  const changes: { -readonly [K in keyof Fields]?: { from: Fields[K]; to: Fields[K] } } = {};
  for (const field of fieldsOf(wanted)) {
    const to = wanted[field];
    const from = current[field];
    if (to !== undefined && JSON.stringify(from) !== JSON.stringify(to)) changes[field] = { from, to };
  }
  return changes;
};
export type Changes<Fields> = { readonly [K in keyof Fields]?: { readonly from: Fields[K]; readonly to: Fields[K] } };

/** The fields that changed, as they are now. */
export const newValues = <Fields extends object>(changes: Changes<Fields>): Partial<Fields> => {
  const values: { -readonly [K in keyof Fields]?: Fields[K] } = {};
  for (const field of fieldsOf(changes)) {
    const change = changes[field];
    if (change) values[field] = change.to;
  }
  return values;
};

/** The fields after the changes. */
export const applyChanges = <Fields extends object>(current: Fields, changes: Changes<Fields>): Fields => ({
  ...current,
  ...newValues(changes),
});

/** Fields as rows and answers show them: null where they were erased. */
export const clearFields = <Fields extends object>(fields: Fields): ClearFields<Fields> =>
  Object.fromEntries(
    Object.entries(fields).map(([field, value]) => [field, clearOrNull(value)]),
  ) as ClearFields<Fields>;
export type ClearFields<Fields> = {
  [K in keyof Fields]: Erased extends Fields[K] ? Exclude<Fields[K], Erased> | null : Fields[K];
};

const fieldsOf = <Fields extends object>(fields: Fields): (keyof Fields)[] => Object.keys(fields) as (keyof Fields)[];
