import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { NewEvent } from '../event-store/event.ts';
import { table, uuid } from '../read-models/table.ts';
import { rowStatements, selectBatch } from './batch.ts';
import { type Claims, claimsOf } from './commit.ts';

type Waiting = { readonly name: number; readonly claims: Claims };
const NOTHING = { own: new Set<string>(), shared: new Set<string>() };
const conflict = (one: Claims, other: Claims): boolean =>
  one.own.some((claim) => other.own.includes(claim) || other.shared.includes(claim)) ||
  one.shared.some((claim) => other.own.includes(claim));
const heldBy = (batches: readonly (readonly Waiting[])[]) => {
  const claims = batches.flat().map((one) => one.claims);
  return { own: new Set(claims.flatMap(({ own }) => own)), shared: new Set(claims.flatMap(({ shared }) => shared)) };
};

const claim = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g');
const claims = fc.record({ own: fc.array(claim, { maxLength: 2 }), shared: fc.array(claim, { maxLength: 2 }) });
const queue = fc.array(claims, { maxLength: 40 }).map((all) => all.map((claims, name): Waiting => ({ name, claims })));
const held = fc.record({ own: fc.array(claim, { maxLength: 2 }), shared: fc.array(claim, { maxLength: 2 }) });

describe('a batch takes those that get into nobody’s way, in their order', () => {
  test('everyone is either in it or still waiting, in the order in which they came', () => {
    fc.assert(
      fc.property(queue, held, fc.integer({ min: 1, max: 8 }), (waiting, { own, shared }, limit) => {
        const { batch, rest } = selectBatch(waiting, { own: new Set(own), shared: new Set(shared) }, limit);
        expect(batch.length).toBeLessThanOrEqual(limit);
        expect([...batch, ...rest].map(({ name }) => name).sort((a, b) => a - b)).toEqual(waiting.map((w) => w.name));
        for (const part of [batch, rest]) {
          expect(part.map(({ name }) => name)).toEqual(part.map(({ name }) => name).sort((a, b) => a - b));
        }
      }),
    );
  });

  test('no two of a batch meet, nor does one of them meet what is under way', () => {
    fc.assert(
      fc.property(queue, held, (waiting, underWay) => {
        const inTheWay = { own: new Set(underWay.own), shared: new Set(underWay.shared) };
        const { batch } = selectBatch(waiting, inTheWay, 64);
        for (const [n, one] of batch.entries()) {
          expect(conflict(one.claims, underWay)).toBe(false);
          for (const other of batch.slice(n + 1)) expect(conflict(one.claims, other.claims)).toBe(false);
        }
      }),
    );
  });

  test('nobody overtakes one that they meet, and nobody free is left behind', () => {
    fc.assert(
      fc.property(queue, held, fc.integer({ min: 1, max: 8 }), (waiting, underWay, limit) => {
        const inTheWay = { own: new Set(underWay.own), shared: new Set(underWay.shared) };
        const { batch, rest } = selectBatch(waiting, inTheWay, limit);
        for (const one of batch) {
          const passed = rest.filter(({ name }) => name < one.name);
          expect(passed.some((other) => conflict(one.claims, other.claims))).toBe(false);
        }
        if (batch.length < limit) {
          for (const one of rest) {
            const elders = waiting.filter(({ name }) => name < one.name).map((elder) => elder.claims);
            expect([underWay, ...elders].some((other) => conflict(one.claims, other))).toBe(true);
          }
        }
      }),
    );
  });

  test('two batches at a time, finished in any order: everyone gets through, and those who meet in their order', () => {
    fc.assert(
      fc.property(queue, fc.infiniteStream(fc.boolean()), (all, coin) => {
        let waiting: readonly Waiting[] = all;
        const underWay: (readonly Waiting[])[] = [];
        const done: Waiting[] = [];
        while (waiting.length > 0 || underWay.length > 0) {
          const { batch, rest } =
            underWay.length < 2 ? selectBatch(waiting, heldBy(underWay), 4) : { batch: [], rest: waiting };
          waiting = rest;
          if (batch.length > 0) underWay.push(batch);
          if (underWay.length === 2 || batch.length === 0) {
            const ended = (coin.next().value && underWay.pop()) || underWay.shift();
            if (ended === undefined) throw new Error('somebody starves');
            done.push(...ended);
          }
        }
        expect(done).toHaveLength(all.length);
        for (const [n, one] of done.entries()) {
          for (const later of done.slice(n + 1)) {
            if (conflict(one.claims, later.claims)) expect(one.name).toBeLessThan(later.name);
          }
        }
      }),
    );
  });

  test('some who only rely on a stream go together; its writer goes alone', () => {
    const shared = (name: number): Waiting => ({ name, claims: { own: [], shared: ['s'] } });
    const own = (name: number): Waiting => ({ name, claims: { own: ['s'], shared: [] } });
    const names = (waiting: readonly Waiting[]) => selectBatch(waiting, NOTHING, 64).batch.map(({ name }) => name);
    expect(names([shared(1), shared(2), own(3), shared(4)])).toEqual([1, 2]);
    expect(names([own(1), shared(2), own(3)])).toEqual([1]);
  });
});

test('a commit claims its streams, its reservations and its key, and shares what it only relies on', () => {
  const event: NewEvent = {
    id: randomUUID(),
    stream: 'written',
    version: 1,
    topic: 't',
    key: 'k',
    lane: 0,
    subject: null,
    type: 'done',
    schemaVersion: 1,
    data: {},
    metadata: { correlationId: 'c', causationId: 'c', actor: 'ada', requestId: 'r', occurredAt: '' },
  };
  const claims = claimsOf({
    appends: [
      { stream: 'written', expected: 0, events: [event] },
      { stream: 'relied-on', expected: 3, events: [] },
    ],
    take: [{ scope: 'name', value: 'new', holder: 'x' }],
    release: [{ scope: 'name', value: 'old', holder: 'x' }],
    writes: [],
    idempotency: { principal: 'ada', route: 'r', key: 'k', bodyHash: 'h', results: [] },
  });
  expect(claims).toEqual({
    own: ['written', 'name\u001fnew', 'name\u001fold', 'ada\u001fr\u001fk'],
    shared: ['relied-on'],
  });
});

test('all removals and all rows of a table are one statement each, and single statements follow in their order', () => {
  const [one, two] = [table('one', { id: uuid() }), table('two', { id: uuid() })];
  const statements = rowStatements([
    { upsert: one, row: { id: 1 } },
    { statement: { name: 'x', text: 'delete from x' }, values: [1], expect: 1 },
    { upsert: two, row: { id: 2 } },
    { upsert: one, row: { id: 3 } },
    { remove: two, id: 'gone' },
    { statement: { name: 'y', text: 'select 1 from y' }, values: [], expect: 0 },
    { remove: two, id: 'gone too' },
  ]);
  expect(statements.map(({ statement, values }) => [statement.name, ...values])).toEqual([
    ['two-remove', ['gone', 'gone too']],
    ['one-upsert', '[{"id":1},{"id":3}]'],
    ['two-upsert', '[{"id":2}]'],
    ['x-expecting', 1, 1],
    ['y-expecting', 0],
  ]);
});
