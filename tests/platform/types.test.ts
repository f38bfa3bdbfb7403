/**
 * What the compiler refuses. An error that it no longer finds makes the `@ts-expect-error` above it an error, so `tsc`
 * runs these tests; at run time there is only to see that the complete ones do work.
 */
import { expect, test } from 'vitest';
import type { Decider, Event, Evolve } from '../../src/platform/decider.ts';
import { reject } from '../../src/platform/decider.ts';
import { evolve } from '../../src/platform/event-store/evolve.ts';
import type { ProblemTable } from '../../src/platform/http/problems.ts';
import { readModel } from '../../src/platform/read-models/fold.ts';
import { integer, orNull, type RowOf, table, text, uuid } from '../../src/platform/read-models/table.ts';

type Opened = Event<'door.opened', { readonly by: string }>;
type Closed = Event<'door.closed', { readonly at: string }>;
type DoorEvent = Opened | Closed;
type Door = { readonly open: boolean };
type Command = { readonly type: 'Open'; readonly by: string } | { readonly type: 'Close' };
type Code = 'door-open' | 'door-missing';

const whole: Evolve<Door, DoorEvent, 'door.opened'> = {
  starts: { 'door.opened': () => ({ open: true }) },
  continues: { 'door.closed': () => ({ open: false }) },
};

test('a fold has a handler for every event, in its place', () => {
  const missing: Evolve<Door, DoorEvent, 'door.opened'> = {
    starts: whole.starts,
    // @ts-expect-error door.closed has no handler
    continues: {},
  };
  const birthless: Evolve<Door, DoorEvent, 'door.opened'> = {
    // @ts-expect-error a stream could not begin
    starts: {},
    continues: whole.continues,
  };
  const unknown: Evolve<Door, DoorEvent, 'door.opened'> = {
    starts: whole.starts,
    // @ts-expect-error nobody writes door.painted
    continues: { ...whole.continues, 'door.painted': () => ({ open: false }) },
  };
  const wrongData: Evolve<Door, DoorEvent, 'door.opened'> = {
    starts: whole.starts,
    // @ts-expect-error door.closed does not say by whom
    continues: { 'door.closed': (state, { data }) => ({ ...state, by: data.by }) },
  };
  const noState: Evolve<Door, DoorEvent, 'door.opened'> = {
    // @ts-expect-error the first event has no state before it
    starts: { 'door.opened': (state: Door, _event: Opened, _meta: object) => state },
    continues: whole.continues,
  };
  expect([missing, birthless, unknown, wrongData, noState]).toHaveLength(5);
  const meta = { streamId: 'd', version: 1, occurredAt: '', actor: '' };
  const step = evolve(whole);
  const open = step(undefined, { type: 'door.opened', data: { by: 'ada' } }, meta);
  expect(step(open, { type: 'door.closed', data: { at: 'noon' } }, meta)).toEqual({ open: false });
  expect(() => step(undefined, { type: 'door.closed', data: { at: '' } }, meta)).toThrow(
    'cannot begin with door.closed',
  );
  expect(() => step(open, { type: 'door.opened', data: { by: '' } }, meta)).toThrow('door.opened cannot follow');
});

test('a decision covers every command, and answers only events and codes of its own', () => {
  const complete: Decider<Door, Command, DoorEvent, Code, 'door.opened'> = {
    ...whole,
    decide: (state, command) => {
      switch (command.type) {
        case 'Open':
          return state?.open ? reject('door-open') : [{ type: 'door.opened', data: { by: command.by } }];
        case 'Close':
          return state ? [{ type: 'door.closed', data: { at: 'noon' } }] : reject('door-missing');
      }
    },
  };
  const half: Decider<Door, Command, DoorEvent, Code, 'door.opened'> = {
    ...whole,
    // @ts-expect-error Close has no case
    decide: (_state, command) => {
      switch (command.type) {
        case 'Open':
          return [];
      }
    },
  };
  const otherEvent: Decider<Door, Command, DoorEvent, Code, 'door.opened'> = {
    ...whole,
    // @ts-expect-error no such event
    decide: () => [{ type: 'door.painted', data: {} }],
  };
  const otherCode: Decider<Door, Command, DoorEvent, Code, 'door.opened'> = {
    ...whole,
    // @ts-expect-error no such code
    decide: () => reject('door-painted'),
  };
  const trusting: Decider<Door, Command, DoorEvent, Code, 'door.opened'> = {
    ...whole,
    // @ts-expect-error there may be no state
    decide: (state) => (state.open ? [] : reject('door-open')),
  };
  expect([half, otherEvent, otherCode, trusting]).toHaveLength(4);
  expect(complete.decide(undefined, { type: 'Close' })).toEqual({ rejected: 'door-missing' });
});

test('a row has every column, of its type, and the fold leaves its version to the platform', () => {
  const columns = { id: uuid(), version: integer(), name: text(), note: orNull(text()) };
  const doors = table('doors', columns);
  const full: RowOf<typeof columns> = { id: 'd', version: 1, name: 'front', note: null };
  // @ts-expect-error no note
  const noColumn: RowOf<typeof columns> = { id: 'd', version: 1, name: 'front' };
  // @ts-expect-error a name is never null
  const noName: RowOf<typeof columns> = { ...full, name: null };
  // @ts-expect-error a table is kept by id
  const idless = () => table('doors', { version: integer() });
  const unversioned = table('doors', { id: uuid() });
  // @ts-expect-error a folded table has a version
  readModel<{ readonly id: string }, Opened, 'door.opened'>(unversioned, { starts: whole.starts, continues: {} });
  const model = readModel<RowOf<typeof columns>, Opened, 'door.opened'>(doors, {
    starts: { 'door.opened': (_event, { streamId }) => ({ id: streamId, name: 'front', note: null }) },
    continues: {},
  });
  readModel<RowOf<typeof columns>, Opened, 'door.opened'>(doors, {
    // @ts-expect-error a row without a name
    starts: { 'door.opened': (_event, { streamId }) => ({ id: streamId, note: null }) },
    continues: {},
  });
  expect([noColumn, noName, idless]).toHaveLength(3);
  const meta = { streamId: 'd', version: 7, occurredAt: '', actor: '' };
  expect(model.apply(undefined, { type: 'door.opened', data: { by: 'ada' } }, meta)).toEqual({ ...full, version: 7 });
});

test('a rejection without a problem does not compile', () => {
  const problem = { status: 409, title: 'It is open', detail: 'Close it.' };
  const table: ProblemTable<Code> = { 'door-open': problem, 'door-missing': problem };
  // @ts-expect-error what is door-missing over HTTP?
  const incomplete: ProblemTable<Code> = { 'door-open': problem };
  expect([Object.keys(table), Object.keys(incomplete)]).toEqual([['door-open', 'door-missing'], ['door-open']]);
});
