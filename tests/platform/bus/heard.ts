/** A service that hears of notes, for the tests of the bus: what it heard of each is one row, in its own schema. */
import { randomUUID } from 'node:crypto';
import Type from 'typebox';
import { aggregate } from '../../../src/platform/commit/aggregate.ts';
import { type Decider, type Event, isErased, type Personal, reject } from '../../../src/platform/decider.ts';
import type { Consumer } from '../../../src/platform/event-bus/consumer.ts';
import type { EventRegistry } from '../../../src/platform/event-store/catalog.ts';
import { act, policy } from '../../../src/platform/policies/policy.ts';
import { readModel } from '../../../src/platform/read-models/fold.ts';
import { type Projection, projection } from '../../../src/platform/read-models/projection.ts';
import { integer, json, type RowOf, table, text, uuid } from '../../../src/platform/read-models/table.ts';

export const LISTENER = 'user_service';

type Written = Event<'note.written', { readonly ownerId: string; readonly text: Personal<string> }>;
type Extended = Event<'note.extended', { readonly text: Personal<string> }>;
export type Heard = Written | Extended;

const columns = { id: uuid(), versions: json<readonly number[]>(), words: text() };
export type HeardRow = RowOf<typeof columns>;
const heardTable = table('heard', columns);

/** Of words that begin so, a consumer of this mood can make nothing until it is cured. */
export type Mood = {
  readonly poison: string;
  cured: boolean;
  readonly attempts: string[];
  /** What it throws at such words. */
  readonly fault: (words: string) => Error;
};
export const newMood = (fault: Mood['fault'] = () => new Error('nothing can be made of this')): Mood => ({
  poison: `poison ${randomUUID()}`,
  cured: false,
  attempts: [],
  fault,
});

const hear = (mood: Mood): Projection<HeardRow, Heard> => {
  const add = (row: HeardRow | undefined, words: Personal<string>, version: number, id: string): HeardRow => {
    const heard = isErased(words) ? '?' : words;
    if (heard.startsWith(mood.poison)) {
      mood.attempts.push(`${id}@${version}`);
      if (!mood.cured) throw mood.fault(heard);
    }
    return { id, versions: [...(row?.versions ?? []), version], words: `${row?.words ?? ''}${heard};` };
  };
  return {
    table: heardTable,
    ids: (_event, { streamId }) => [streamId],
    on: {
      'note.written': (row, { data }, { version }, id) => add(row, data.text, version, id),
      'note.extended': (row, { data }, { version }, id) => add(row, data.text, version, id),
    },
  };
};
export const hearing = (
  mood: Mood = newMood(),
  begins: Consumer['begins'] = 'beginning',
  name = 'test.hearing',
): Consumer => projection(name, { ...hear(mood), begins });

/** What the listener writes of its own: an echo of each note, which is repeated as the note grows, up to a limit. */
const echoColumns = { id: uuid(), version: integer() };
type EchoRow = RowOf<typeof echoColumns>;
type EchoData = { readonly of: string; readonly late: boolean };
type Echoed = Event<'echo.begun', EchoData> | Event<'echo.repeated', EchoData>;
type EchoCommand = EchoData & { readonly type: 'Echo' };
const LIMIT = 3;
const echo: Decider<{ readonly echoes: number }, EchoCommand, Echoed, 'echo-full', 'echo.begun'> = {
  starts: { 'echo.begun': () => ({ echoes: 1 }) },
  continues: { 'echo.repeated': ({ echoes }) => ({ echoes: echoes + 1 }) },
  decide: (state, { of, late }) => {
    if (state === undefined) return [{ type: 'echo.begun', data: { of, late } }];
    return state.echoes < LIMIT ? [{ type: 'echo.repeated', data: { of, late } }] : reject('echo-full');
  },
};
const echoEvent = {
  version: 1,
  topic: 'echo.events.private',
  schema: Type.Object({ of: Type.String(), late: Type.Boolean() }, { additionalProperties: false }),
  upcasts: [],
};
export const ECHO_EVENTS: EventRegistry = { 'echo.begun': echoEvent, 'echo.repeated': echoEvent };
const echoes = aggregate({
  streamPrefix: 'echo',
  decider: echo,
  subject: () => null,
  readModel: readModel<EchoRow, Echoed, 'echo.begun'>(table('echo_list', echoColumns), {
    starts: { 'echo.begun': (_event, { streamId }) => ({ id: streamId }) },
    continues: { 'echo.repeated': (row) => row },
  }),
});
export const echoing = (mood: Mood, maxAge = 3_600_000): Consumer =>
  policy<HeardRow, Heard, { readonly of: string }>('test.echoing', {
    begins: 'beginning',
    maxAge,
    state: hear(mood),
    react: {
      'note.written': (_event, state) => (state ? [{ of: state.words }] : []),
      'note.extended': (_event, state) => (state ? [{ of: state.words }] : []),
    },
    act: ({ of }, { streamId, late }) => act(echoes, streamId, { type: 'Echo', of, late }, { 'echo-full': 'ignored' }),
  });

export const HEARD_TABLES = `
  create table ${LISTENER}.heard (id uuid primary key, versions jsonb not null, words text collate "C" not null);
  create table ${LISTENER}.echo_list (id uuid primary key, version integer not null);
  grant select, insert, update, delete on ${LISTENER}.heard, ${LISTENER}.echo_list to ${LISTENER}`;
