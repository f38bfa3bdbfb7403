/** A service for the tests of timers: an alarm that rings when its time has come, and a table folded from it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import Type from 'typebox';
import { aggregate } from '../../src/platform/commit/aggregate.ts';
import { handle } from '../../src/platform/commit/command-handler.ts';
import { type Decider, type Event, reject } from '../../src/platform/decider.ts';
import type { EventRegistry } from '../../src/platform/event-store/catalog.ts';
import { killAt } from '../../src/platform/lifecycle/fail-points.ts';
import { openServiceKit, type ServiceKit } from '../../src/platform/lifecycle/service-kit.ts';
import { readModel } from '../../src/platform/read-models/fold.ts';
import { instant, integer, orNull, type RowOf, table, uuid } from '../../src/platform/read-models/table.ts';
import { timer } from '../../src/platform/scheduling/timers.ts';
import { startWorker, type Work, type Worker } from '../../src/platform/scheduling/worker.ts';
import type { DatabaseAddress } from '../../src/platform/sql/connection.ts';
import { createLogger } from '../../src/platform/telemetry/logger.ts';
import { context, MASTER_KEY, SCHEMA } from './notes.ts';

const at = Type.Union([Type.String({ format: 'instant' }), Type.Null()]);
const setTo = Type.Object({ at, broken: Type.Optional(Type.String()) }, { additionalProperties: false });
const ALARM_EVENTS: EventRegistry = {
  'alarm.set': { version: 1, topic: 'alarm.events', schema: setTo, upcasts: [] },
  'alarm.rang': {
    version: 1,
    topic: 'alarm.events',
    upcasts: [],
    schema: Type.Object({ at }, { additionalProperties: false }),
  },
};

/** A mute alarm does nothing when it is due; a jammed one refuses to. */
type Setting = { readonly at: string | null; readonly broken?: 'mute' | 'jammed' };
type AlarmEvent = Event<'alarm.set', Setting> | Event<'alarm.rang', { readonly at: string }>;
type AlarmCommand =
  | { readonly type: 'Set'; readonly setting: Setting }
  | { readonly type: 'Ring'; readonly now: string };

const alarm: Decider<Setting, AlarmCommand, AlarmEvent, 'alarm-missing' | 'alarm-jammed', 'alarm.set'> = {
  starts: { 'alarm.set': ({ data }) => data },
  continues: { 'alarm.rang': () => ({ at: null }) },
  decide: (state, command) => {
    if (command.type === 'Set') return state ? [] : [{ type: 'alarm.set', data: command.setting }];
    if (state === undefined) return reject('alarm-missing');
    if (state.broken === 'jammed') return reject('alarm-jammed');
    const { at } = state;
    return at === null || command.now < at || state.broken === 'mute' ? [] : [{ type: 'alarm.rang', data: { at } }];
  },
};

const columns = { id: uuid(), version: integer(), at: orNull(instant()) };
/** For the superuser, who makes the table in a test's database. */
export const ALARM_TABLE = `
  create table ${SCHEMA}.alarm_list (id uuid primary key, version integer not null, at timestamptz);
  grant select, insert, update, delete on ${SCHEMA}.alarm_list to ${SCHEMA}`;
const alarmList = readModel<RowOf<typeof columns>, AlarmEvent, 'alarm.set'>(table('alarm_list', columns), {
  starts: { 'alarm.set': ({ data }, { streamId }) => ({ id: streamId, at: data.at }) },
  continues: { 'alarm.rang': (row) => ({ ...row, at: null }) },
});
const alarms = aggregate({
  streamPrefix: 'alarm',
  decider: alarm,
  subject: () => null,
  readModel: alarmList,
  nextDue: ({ at }) => at,
});

export const openAlarms = (address: DatabaseAddress): ServiceKit =>
  openServiceKit({
    name: 'test',
    address,
    keysAddress: address,
    schema: SCHEMA,
    masterKey: MASTER_KEY,
    registry: ALARM_EVENTS,
  });

/** An instant so many ms from now. */
export const inMs = (ms: number): string => new Date(Date.now() + ms).toISOString();

/** A new alarm; answers its id. */
export const setAlarm = async ({ commands }: ServiceKit, setting: Setting): Promise<string> => {
  const id = crypto.randomUUID();
  const outcome = await handle(commands, alarms, id, { type: 'Set', setting }, context(), { isNew: true });
  if (outcome.kind !== 'done') throw new Error(`an alarm could not be set: ${outcome.kind}`);
  return id;
};

export const ring = (kit: ServiceKit): Work['run'] =>
  timer(kit.commands, alarms, { actor: 'alarm-service', commandAt: (now) => ({ type: 'Ring', now }) as const });

const silent = createLogger('silent');
/** Rings the alarms of a kit, unless `work` says otherwise. */
export const startRinging = (kit: ServiceKit, work: Partial<Work> = {}, logger = silent): Worker =>
  startWorker(
    { commands: kit.commands, database: kit.database, committed: kit.committed, logger },
    { streamPrefix: 'alarm', lease: 5_000, atOnce: 10, run: ring(kit), ...work },
  );

export type Ringer = { readonly address: DatabaseAddress; readonly lease: number; readonly failPoint?: string };
/** @public A process of `ringInProcess` imports it. */
export const ringForEver = ({ address, lease, failPoint }: Ringer): void => {
  const kit = openAlarms(address);
  startWorker(
    {
      commands: kit.commands,
      database: kit.database,
      committed: kit.committed,
      logger: silent,
      failPoint: killAt(failPoint),
    },
    { streamPrefix: 'alarm', lease, atOnce: 10, run: ring(kit) },
  );
};
/** Rings alarms in a process of its own. */
export const ringInProcess = (ringer: Ringer) => {
  const code = `
    import { ringForEver } from ${JSON.stringify(import.meta.filename)};
    ringForEver(${JSON.stringify(ringer)});`;
  const child = spawn(process.execPath, ['--input-type=module-typescript', '--eval', code], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const ended = once(child, 'exit').then(([, signal]): NodeJS.Signals | null => signal);
  return { ended, signal: (name: NodeJS.Signals) => child.kill(name) };
};
