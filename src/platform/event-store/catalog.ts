/** A registry of event definitions, compiled: what may be written, and which of its fields are personal. */
import type { TSchema } from 'typebox';
import { createValidator, type InputError, inputErrors } from '../schema/validator.ts';

type Data = Readonly<Record<string, unknown>>;
/** What the platform needs of a definition; the contracts give more. */
export type EventDefinition = {
  readonly version: number;
  readonly topic: string;
  readonly schema: TSchema;
  readonly busKey?: string;
  readonly upcasts: readonly ((data: Data) => Data)[];
};
export type EventRegistry = Readonly<Record<string, EventDefinition>>;

/** The personal places of a schema: `true` where a value is sealed, else the fields on the way there. */
export type PersonalTree = true | { readonly [field: string]: PersonalTree };

export type CompiledEvent = EventDefinition & {
  readonly personal: PersonalTree | undefined;
  /** The faults of clear data; fields that the schema does not declare are among them. */
  readonly faults: (data: unknown) => readonly InputError[];
};
export type EventCatalog = ReadonlyMap<string, CompiledEvent>;

/** Throws when a definition could let a personal field through unsealed, or a field through undeclared. */
export const compileCatalog = (registry: EventRegistry): EventCatalog => {
  const ajv = createValidator({ coerce: false });
  return new Map(
    Object.entries(registry).map(([type, definition]) => {
      if (definition.upcasts.length !== definition.version - 1) {
        throw new Error(`${type}: version ${definition.version} needs ${definition.version - 1} upcasts`);
      }
      refuseOpenObjects(definition.schema, type);
      const validate = ajv.compile(definition.schema);
      const compiled: CompiledEvent = {
        ...definition,
        personal: personalTree(definition.schema, type),
        faults: (data) => (validate(data) ? [] : inputErrors(validate.errors)),
      };
      return [type, compiled];
    }),
  );
};

const personalTree = (schema: unknown, path: string): PersonalTree | undefined => {
  if (!isObject(schema)) return undefined;
  if (schema['x-personal'] === true) return true;
  const { properties, ...rest } = schema;
  // A mark beside the fields (in a list, a union, a definition) would not be found again when writing; refuse it
  // instead of leaving it in clear.
  if (JSON.stringify(rest).includes('"x-personal":true')) throw new Error(`${path}: mark the whole field as personal`);
  if (!isObject(properties)) return undefined;
  const fields = Object.entries(properties).flatMap(([name, inner]): [string, PersonalTree][] => {
    const tree = personalTree(inner, `${path}.${name}`);
    return tree === undefined ? [] : [[name, tree]];
  });
  return fields.length > 0 ? Object.fromEntries(fields) : undefined;
};

/** Throws for an object, at whatever depth, that takes fields which it does not declare. */
const refuseOpenObjects = (schema: unknown, path: string): void => {
  if (!isObject(schema)) return;
  const { properties, ...rest } = schema;
  if ((isObject(properties) || schema.type === 'object') && schema.additionalProperties !== false) {
    throw new Error(`${path}: an object of an event must be closed`);
  }
  const fields = isObject(properties) ? properties : {};
  for (const [name, inner] of [...Object.entries(rest), ...Object.entries(fields)])
    refuseOpenObjects(inner, `${path}.${name}`);
};
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
