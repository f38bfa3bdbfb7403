import Type, { type TSchema } from 'typebox';
import { describe, expect, test } from 'vitest';
import { compileCatalog, type EventDefinition } from './catalog.ts';

const words = { ...Type.String(), 'x-personal': true };
const open = Type.Object({ a: Type.String() });
const closed = (properties: Record<string, TSchema>, more = {}) =>
  Type.Object(properties, { additionalProperties: false, ...more });
const compile = (schema: TSchema, more: Partial<EventDefinition> = {}) =>
  compileCatalog({ 'thing.done': { version: 1, topic: 'thing.events', schema, upcasts: [], ...more } }).get(
    'thing.done',
  );

describe('no personal field can be written in clear: a mark that would not be found is refused', () => {
  test.each([
    ['in a list', closed({ names: Type.Array(words) })],
    ['in the objects of a list', closed({ people: Type.Array(closed({ name: words })) })],
    ['in a union', closed({ name: Type.Union([words, Type.Null()]) })],
    ['in the objects of a union', closed({ who: Type.Union([closed({ name: words }), Type.Null()]) })],
    ['in a union of the whole', Type.Union([closed({ name: words }), closed({})])],
    ['in a definition', closed({ name: Type.Unsafe({ $ref: '#/$defs/name' }) }, { $defs: { name: words } })],
    ['beside the fields', closed({ name: Type.String() }, { anyOf: [closed({ name: words })] })],
  ])('%s', (_where, schema) => {
    expect(() => compile(schema)).toThrow('mark the whole field as personal');
  });

  test('marked as a whole, a list and a union are sealed', () => {
    const list = { ...Type.Array(Type.String()), 'x-personal': true };
    const union = { ...Type.Union([Type.String(), Type.Null()]), 'x-personal': true };
    const compiled = compile(closed({ list, deep: closed({ union, clear: Type.String() }) }));
    expect(compiled?.personal).toEqual({ list: true, deep: { union: true } });
  });
});

describe('no field can be written undeclared: an object that is open is refused', () => {
  test.each([
    ['the event itself', open],
    ['a field of it', closed({ inner: open })],
    ['the objects of a list', closed({ inner: Type.Array(open) })],
    ['a member of a union', closed({ inner: Type.Union([open, Type.Null()]) })],
    ['a personal field', closed({ inner: { ...open, 'x-personal': true } })],
    ['an object of any fields', closed({ inner: Type.Unsafe({ type: 'object' }) })],
  ])('%s', (_where, schema) => {
    expect(() => compile(schema)).toThrow('must be closed');
  });

  test('closed at every depth, whatever its fields are called, it tells each field too many', () => {
    const compiled = compile(closed({ properties: Type.Array(closed({ type: Type.String() })) }));
    expect(compiled?.faults({ properties: [{ type: 'x' }] })).toEqual([]);
    expect(compiled?.faults({ properties: [{ type: 'x', more: 1 }], other: 2 }).map(({ pointer }) => pointer)).toEqual([
      '/other',
      '/properties/0/more',
    ]);
  });
});

test('a version without the upcasts that lead to it is refused', () => {
  expect(() => compile(closed({}), { version: 2 })).toThrow('thing.done: version 2 needs 1 upcasts');
  expect(() => compile(closed({}), { upcasts: [(data) => data] })).toThrow('version 1 needs 0 upcasts');
});
