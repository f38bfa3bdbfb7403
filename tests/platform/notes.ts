/** A service for the tests of the platform: one small aggregate with personal words, and a table folded from it. */
import { randomUUID } from 'node:crypto';
import Type from 'typebox';
import { aggregate } from '../../src/platform/commit/aggregate.ts';
import type { Append, Commit } from '../../src/platform/commit/commit.ts';
import type { CommandContext } from '../../src/platform/commit/plan.ts';
import { type Decider, type Event, isErased, type Personal, reject } from '../../src/platform/decider.ts';
import type { EventRegistry } from '../../src/platform/event-store/catalog.ts';
import type { Metadata, NewEvent } from '../../src/platform/event-store/event.ts';
import { laneOf } from '../../src/platform/event-store/lane.ts';
import { openServiceKit, type ServiceKit } from '../../src/platform/lifecycle/service-kit.ts';
import { readModel } from '../../src/platform/read-models/fold.ts';
import { integer, orNull, type RowOf, table, text, uuid } from '../../src/platform/read-models/table.ts';
import type { DatabaseAddress } from '../../src/platform/sql/connection.ts';

export const SCHEMA = 'task_service';
export const MASTER_KEY = 'a master key for tests of 32 bytes or more';

const words = { ...Type.String(), 'x-personal': true };
const closed = { additionalProperties: false } as const;
export const NOTE_EVENTS: EventRegistry = {
  'note.written': {
    version: 1,
    topic: 'note.events',
    schema: Type.Object({ ownerId: Type.String(), text: words }, closed),
    upcasts: [],
  },
  'note.extended': { version: 1, topic: 'note.events', schema: Type.Object({ text: words }, closed), upcasts: [] },
};

type NoteEvent =
  | Event<'note.written', { readonly ownerId: string; readonly text: Personal<string> }>
  | Event<'note.extended', { readonly text: Personal<string> }>;
type Note = { readonly ownerId: string; readonly length: number };
type NoteCommand =
  | { readonly type: 'Write'; readonly ownerId: string; readonly text: string }
  | { readonly type: 'Extend'; readonly text: string };

const lengthOf = (words: Personal<string>): number => (isErased(words) ? 0 : words.length);
const note: Decider<Note, NoteCommand, NoteEvent, 'note-exists' | 'note-missing', 'note.written'> = {
  starts: { 'note.written': ({ data }) => ({ ownerId: data.ownerId, length: lengthOf(data.text) }) },
  continues: { 'note.extended': (state, { data }) => ({ ...state, length: state.length + lengthOf(data.text) }) },
  decide: (state, command) => {
    switch (command.type) {
      case 'Write':
        return state
          ? reject('note-exists')
          : [{ type: 'note.written', data: { ownerId: command.ownerId, text: command.text } }];
      case 'Extend':
        return state ? [{ type: 'note.extended', data: { text: command.text } }] : reject('note-missing');
    }
  },
};

const columns = { id: uuid(), version: integer(), text: orNull(text()), length: integer() };
type NoteRow = RowOf<typeof columns>;
export const noteTable = table('note_list', columns);
/** For the superuser, who makes the table in a test's database. */
export const NOTE_TABLE = `
  create table ${SCHEMA}.note_list (
    id uuid primary key, version integer not null, text text collate "C", length integer not null check (length < 1000000));
  grant select, insert, update, delete on ${SCHEMA}.note_list to ${SCHEMA}`;

const noteList = readModel<NoteRow, NoteEvent, 'note.written'>(noteTable, {
  starts: {
    'note.written': ({ data }, { streamId }) => ({
      id: streamId,
      text: isErased(data.text) ? null : data.text,
      length: lengthOf(data.text),
    }),
  },
  continues: {
    'note.extended': (row, { data }) => ({ ...row, length: row.length + lengthOf(data.text) }),
  },
});
export const notes = aggregate({
  streamPrefix: 'note',
  decider: note,
  subject: ({ ownerId }) => ownerId,
  readModel: noteList,
  notFound: 'note-missing',
});

export const openNotes = (address: DatabaseAddress, registry = NOTE_EVENTS): ServiceKit =>
  openServiceKit({ name: 'test', address, keysAddress: address, schema: SCHEMA, registry, masterKey: MASTER_KEY });

const metadata = (): Metadata => ({
  correlationId: randomUUID(),
  causationId: 'test',
  actor: 'test',
  requestId: 'test',
  occurredAt: new Date().toISOString(),
});
export const context = (): CommandContext => ({ ...metadata(), newId: () => randomUUID() });

/** An event as the executor takes it, in clear: for what does not concern its words. */
export const newEvent = (stream: string, version: number, more: Partial<NewEvent> = {}): NewEvent => ({
  id: randomUUID(),
  stream,
  version,
  topic: 'note.events',
  key: stream,
  lane: laneOf(stream),
  subject: null,
  type: version === 1 ? 'note.written' : 'note.extended',
  schemaVersion: 1,
  data: version === 1 ? { ownerId: 'somebody', text: 'words' } : { text: 'words' },
  metadata: metadata(),
  ...more,
});
/** Some events for one stream, which is at `expected`. */
export const appendTo = (stream: string, expected: number, count = 1): Append => ({
  stream,
  expected,
  events: Array.from({ length: count }, (_, n) => newEvent(stream, expected + n + 1)),
});
export const guard = (stream: string, expected: number): Append => ({ stream, expected, events: [] });
export const commitOf = (...appends: readonly Append[]): Commit => ({
  appends,
  take: [],
  release: [],
  writes: [],
  idempotency: undefined,
});
export const freshStream = (): string => `note-${randomUUID()}`;
