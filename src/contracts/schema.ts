/** The few words from which every contract is made: fields, and the definition of an event. */
import Type, { type Static, type TObject, type TOptional, type TSchema } from 'typebox';
import type { Brand, Event, Personal } from '#platform/decider.ts';

/** A branded schema: the one place where a string becomes a `TaskId`, by being validated. */
export const branded = <B>(schema: TSchema) => Type.Unsafe<B>(schema);
export const id = <Name extends string>(description: string) =>
  branded<Brand<string, Name>>(Type.String({ format: 'uuid', description }));

/** A field that may be cleared. */
export const nullable = <S extends TSchema>(schema: S) => Type.Union([schema, Type.Null()]);
/** One of a few words. Not `Type.Enum`, which emits no `type`. */
export const oneOf = <const W extends readonly [string, ...string[]]>(...words: W) =>
  Type.Unsafe<W[number]>({ type: 'string', enum: words });
/** A field that the codec seals with the key of the event's subject. */
export const personal = <S extends TSchema>(schema: S) =>
  Type.Unsafe<Personal<Static<S>>>({ ...schema, 'x-personal': true });
/** `{from, to}` of a changed field. */
const change = <S extends TSchema>(schema: S) =>
  Type.Object({ from: schema, to: schema }, { additionalProperties: false });
/** `{field: {from, to}}` for each of some fields: what an `updated` event carries. */
export const changesOf = <P extends Record<string, TSchema>>(fields: P) =>
  closed(mapped(fields, (field) => Type.Optional(change(field)))) as TObject<{
    [K in keyof P]: TOptional<TObject<{ from: P[K]; to: P[K] }>>;
  }>;
/** The same fields, none of which must be given: what a merge-patch carries. */
export const optional = <P extends Record<string, TSchema>>(fields: P) =>
  mapped(fields, (field) => Type.Optional(field)) as { [K in keyof P]: TOptional<P[K]> };
/** The same fields with what they are when nobody says; those that have no such value must be given. */
export const defaulted = <P extends Record<string, TSchema>, D extends { readonly [K in keyof P]?: Static<P[K]> }>(
  fields: P,
  defaults: D,
) =>
  mapped(fields, (field, name) =>
    name in defaults ? Type.Optional({ ...field, default: defaults[name as keyof D] }) : field,
  ) as P; // what validation fills in is there for whoever reads the value
const mapped = <P extends Record<string, TSchema>>(
  fields: P,
  to: (field: TSchema, name: string) => TSchema,
): Record<string, TSchema> =>
  Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, to(field, name)]));

/** An object that knows all its fields: what it does not declare is refused. */
export const closed = <P extends Record<string, TSchema>>(properties: P) =>
  Type.Object(properties, { additionalProperties: false });

export const Instant = Type.String({
  format: 'instant',
  description: 'RFC 3339, UTC',
  examples: ['2026-11-24T09:00:00Z'],
});
export type Instant = string;

/** Turns the data of one schema version into that of the next; gets it opened, so it may move personal fields. */
export type Upcast = (data: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>;

export type EventDefinition<S extends TSchema = TSchema> = {
  /** Of the schema; `upcasts[i]` leads from version i + 1 to i + 2, so there are `version - 1` of them. */
  readonly version: number;
  readonly topic: string;
  readonly summary: string;
  readonly schema: S;
  /** The data's field that orders it on the bus; by default the aggregate's id. */
  readonly busKey?: string;
  readonly upcasts: readonly Upcast[];
  readonly example: Static<S>;
};

/** Defines an event once; types, validation, sealing, JSON Schema and documentation are all made from it. */
export const event = <const S extends TSchema>(
  definition: Omit<EventDefinition<S>, 'upcasts' | 'version'> & { readonly upcasts?: readonly Upcast[] },
): EventDefinition<S> => {
  const upcasts = definition.upcasts ?? [];
  return { ...definition, upcasts, version: upcasts.length + 1 };
};

/** The events of a registry, as the union that folds and deciders take. */
export type EventsOf<R extends Record<string, EventDefinition>> = {
  [T in keyof R & string]: Event<T, Static<R[T]['schema']>>;
}[keyof R & string];
