/**
 * What the codec makes of an event's schema: a personal field is described as it travels, sealed, and what it is once
 * opened stands beside it. For the documents that tell others what they will receive.
 */
import { createHash } from 'node:crypto';
import type { TSchema } from 'typebox';

/** As much of JSON Schema as contracts are written in. */
export type JsonSchema = {
  readonly type?: string;
  readonly title?: string;
  readonly description?: string;
  readonly format?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly JsonSchema[];
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly 'x-personal'?: boolean;
};

/** A personal value in an event's data. The shortest holds 12 + 1 + 16 bytes. */
export const SEALED = {
  type: 'object',
  title: 'sealed',
  description:
    'A personal value, null included: its JSON, sealed by AES-256-GCM with the key of the person whom the event is about ' +
    'and bound to the event’s id and the field’s place. 12 bytes of nonce, the sealed text, 16 bytes of tag, in ' +
    'base64url. Once the person’s key is destroyed nobody can open it, in any copy, and it reads as erased.',
  properties: { $sealed: { type: 'string', pattern: '^[A-Za-z0-9_-]{39,}$' } },
  required: ['$sealed'],
  additionalProperties: false,
} as const;

const ON_THE_WAY =
  'Personal: it travels sealed, as {"$sealed": "…"}. x-opened says what it is for whoever has the person’s key.';

/** A schema in the words that tools outside know: without the library's own marks, and an instant is a date-time. */
export const plainSchema = (schema: TSchema): JsonSchema =>
  JSON.parse(JSON.stringify(schema, (key, value) => (key === 'format' && value === 'instant' ? 'date-time' : value)));

/** The schema of data as it travels; `sealed` is where SEALED is found. */
export const sealedSchema = (schema: JsonSchema, sealed: string): object => {
  const { 'x-personal': isPersonal, properties, ...rest } = schema;
  if (isPersonal) {
    const opened = { ...rest, ...(properties && { properties }) };
    return { allOf: [{ $ref: sealed }], description: ON_THE_WAY, 'x-personal': true, 'x-opened': opened };
  }
  if (properties === undefined) return schema;
  const fields = Object.entries(properties).map(([name, field]) => [name, sealedSchema(field, sealed)]);
  return { ...rest, properties: Object.fromEntries(fields) };
};

/**
 * An example of clear data as it would travel. Its sealed texts are made up, of the place, so that no two fields have
 * the same: a true one takes a key, and would be another at every start.
 */
export const sealedExample = (schema: JsonSchema, data: unknown, place: string): unknown => {
  if (schema['x-personal']) return { $sealed: createHash('sha256').update(place).digest('base64url') };
  const { properties } = schema;
  if (properties === undefined || typeof data !== 'object' || data === null) return data;
  const fields = Object.entries(data).map(([name, value]) => [
    name,
    sealedExample(properties[name] ?? {}, value, `${place}/${name}`),
  ]);
  return Object.fromEntries(fields);
};

/** Whether any field is personal, however deep in objects it lies. */
export const hasPersonal = (schema: JsonSchema): boolean =>
  schema['x-personal'] === true || Object.values(schema.properties ?? {}).some(hasPersonal);
