/** What is told of events as they travel is what the codec makes of them. */
import { createSecretKey, randomBytes } from 'node:crypto';
import { Ajv } from 'ajv';
import Type from 'typebox';
import { describe, expect, test } from 'vitest';
import { compileCatalog } from './catalog.ts';
import { sealEvent } from './codec.ts';
import { hasPersonal, type JsonSchema, plainSchema, SEALED, sealedExample, sealedSchema } from './sealed-schema.ts';

const closed = <P extends Parameters<typeof Type.Object>[0]>(properties: P) =>
  Type.Object(properties, { additionalProperties: false });
const personal = (schema: object) => Type.Unsafe({ ...schema, 'x-personal': true });
const schema = closed({
  at: Type.String({ format: 'instant' }),
  name: personal(Type.Union([Type.String(), Type.Null()])),
  grade: Type.Optional(personal(Type.Integer())),
  inner: closed({ words: personal(closed({ lines: Type.Array(Type.String()) })) }),
});
const data = { at: '2026-11-24T09:00:00Z', name: null, grade: 1, inner: { words: { lines: ['a'] } } };

const ajv = new Ajv({ strict: true, formats: { 'date-time': true }, keywords: ['x-personal', 'x-opened'] });
const fits = ajv.addSchema(SEALED, 'sealed').compile(sealedSchema(plainSchema(schema), 'sealed'));
const sealed = (value: unknown): unknown => {
  const compiled = compileCatalog({ 'thing.done': { version: 1, topic: 't', schema, upcasts: [] } }).get('thing.done');
  if (compiled === undefined) throw new Error('it was just compiled');
  return sealEvent(compiled, { type: 'thing.done', data: value }, 'an-id', createSecretKey(randomBytes(32)));
};

describe('the schema as it travels', () => {
  test('fits what the codec seals: null, the shortest value, a whole object; and without a field that may be absent', () => {
    const { grade, ...less } = data;
    expect([fits(sealed(data)), fits(sealed(less))]).toEqual([true, true]);
    expect(grade).toBe(1);
  });

  test('fits nothing in clear where something personal belongs', () => {
    const travelling = { ...data, ...(sealed(data) as typeof data) };
    expect(fits(travelling)).toBe(true);
    for (const field of ['name', 'grade', 'inner'] as const) {
      expect(fits({ ...travelling, [field]: data[field] })).toBe(false);
    }
    expect(fits({ ...travelling, name: { $sealed: 'too short' } })).toBe(false);
  });

  test('tells beside each personal field what it is once opened, and leaves the others as they are', () => {
    const told = JSON.parse(JSON.stringify(sealedSchema(plainSchema(schema), 'sealed')));
    expect(told.properties.name).toMatchObject({
      'x-personal': true,
      'x-opened': { anyOf: [{ type: 'string' }, { type: 'null' }] },
      description: expect.stringContaining('{"$sealed": "…"}'),
    });
    expect(told.properties.inner.properties.words['x-opened'].properties.lines.type).toBe('array');
    expect(told.properties.at).toEqual({ type: 'string', format: 'date-time' });
    expect(told.required).toEqual(['at', 'name', 'inner']);
  });
});

test('an example is sealed in the same places', () => {
  const example = sealedExample(plainSchema(schema), data, 'an-id');
  expect(fits(example)).toBe(true);
  expect(Object.keys(Object(example))).toEqual(Object.keys(data));
  expect(example).toMatchObject({ at: data.at });
});

test('what is personal is seen at any depth, and only that', () => {
  const seen = (properties: Record<string, object>) => hasPersonal(plainSchema(closed(properties)) as JsonSchema);
  expect(seen({ a: closed({ b: personal(Type.String()) }) })).toBe(true);
  expect(seen({ a: closed({ b: Type.String() }) })).toBe(false);
});
