/** From a stream's past and a command to what shall be committed: load, decide, fold, seal. Commits nothing itself. */
import { type Event, isRejection, type Meta, type Named } from '../decider.ts';
import type { EventCatalog } from '../event-store/catalog.ts';
import { sealEvent } from '../event-store/codec.ts';
import { type Metadata, type NewEvent, type RecordedEvent, streamName } from '../event-store/event.ts';
import { evolve } from '../event-store/evolve.ts';
import { laneOf } from '../event-store/lane.ts';
import { type EventStore, eventsOf } from '../event-store/store.ts';
import type { KeyRing } from '../keys/key-ring.ts';
import { scheduleRow } from '../scheduling/schedule.ts';
import type { Aggregate, Wanted } from './aggregate.ts';
import type { Append, Reservation, RowWrite } from './commit.ts';
import type { Done, Rejected, Stale } from './outcome.ts';

/** Who asks for what, when, and as part of what; time and ids come from the edge. */
export type CommandContext = Metadata & {
  /** Makes the ids of the events: fresh ones for a request, derived ones for a policy. */
  readonly newId: () => string;
};

/** What one command would write. Several plans for different streams may go into one commit. */
export type Plan<Row, Taken extends string> = {
  readonly kind: 'plan';
  /** The command, by its name. */
  readonly command: string;
  /** The read model's row that the command found; undefined at a birth. */
  readonly before: Row | undefined;
  readonly done: Done<Row>;
  readonly append: Append;
  readonly take: readonly (Wanted<Taken> & Reservation)[];
  readonly release: readonly Reservation[];
  readonly writes: readonly RowWrite[];
};

export type PlanKit = { readonly store: EventStore; readonly catalog: EventCatalog; readonly keys: KeyRing };

/** An aggregate as a stream left it: where a decision starts from. Version 0 = there is nothing yet. */
export type Loaded<State, Row> = {
  readonly state: State | undefined;
  readonly row: Row | undefined;
  readonly version: number;
};
const NOTHING = { state: undefined, row: undefined, version: 0 } as const;

/** Folds a stream's events into what the next decision starts from. */
export const loadedFrom = <
  State,
  C,
  E extends Event,
  Code extends string,
  Birth extends E['type'],
  Row,
  T extends string,
>(
  { decider, readModel }: Aggregate<State, C, E, Code, Birth, Row, T>,
  past: readonly RecordedEvent<E>[],
): Loaded<State, Row> => {
  const step = evolve(decider);
  let loaded: Loaded<State, Row> = NOTHING;
  for (const { event, meta } of past) {
    const state = step(loaded.state, event, meta);
    loaded = { state, row: readModel.apply(loaded.row, event, meta), version: meta.version };
  }
  return loaded;
};

/** Loads the stream, and plans on what it left. `ifVersion` is the version that the caller insists on. */
export const plan = async <
  State,
  Command extends Named,
  E extends Event,
  Code extends string,
  Birth extends E['type'],
  Row,
  Taken extends string,
>(
  kit: PlanKit,
  aggregate: Aggregate<State, Command, E, Code, Birth, Row, Taken>,
  id: string,
  command: Command,
  context: CommandContext,
  options: { readonly ifVersion?: number | undefined; readonly isNew?: boolean | undefined } = {},
): Promise<Plan<Row, Taken> | Rejected<Code> | Stale> => {
  const past = options.isNew ? [] : eventsOf<E>(await kit.store.load(streamName(aggregate.streamPrefix, id)));
  const loaded = loadedFrom(aggregate, past);
  const { ifVersion } = options;
  const stale = ifVersion !== undefined && ifVersion !== loaded.version;
  const planned = await planOn(kit, aggregate, id, loaded, command, context);
  // What may not be seen is absent, whatever version the caller knows of it.
  if (planned.kind === 'rejected' && planned.code === aggregate.notFound) return planned;
  if (stale) return { kind: 'stale', expected: ifVersion, current: loaded.version, past };
  return planned.kind === 'rejected' ? planned : planned.plan;
};

/** The same command on several aggregates of which rows of ours tell that they take it; throws where one does not. */
export const planEach = async <
  State,
  Command extends Named,
  E extends Event,
  Code extends string,
  Birth extends E['type'],
  Row,
  Taken extends string,
>(
  kit: PlanKit,
  aggregate: Aggregate<State, Command, E, Code, Birth, Row, Taken>,
  ids: readonly string[],
  command: Command,
  context: CommandContext,
): Promise<readonly Plan<Row, Taken>[]> =>
  Promise.all(
    ids.map(async (id) => {
      const planned = await plan(kit, aggregate, id, command, context);
      if (planned.kind === 'plan') return planned;
      const code = planned.kind === 'rejected' ? planned.code : planned.kind;
      throw new Error(`${streamName(aggregate.streamPrefix, id)} refused ${command.type}, against its row: ${code}`);
    }),
  );

/** What one command would write, and how the aggregate stands after it: the next command of a batch starts from there. */
export const planOn = async <
  State,
  Command extends Named,
  E extends Event,
  Code extends string,
  Birth extends E['type'],
  Row,
  Taken extends string,
>(
  kit: PlanKit,
  aggregate: Aggregate<State, Command, E, Code, Birth, Row, Taken>,
  id: string,
  before: Loaded<State, Row>,
  command: Command,
  context: CommandContext,
): Promise<
  { readonly kind: 'planned'; readonly plan: Plan<Row, Taken>; readonly after: Loaded<State, Row> } | Rejected<Code>
> => {
  const { streamPrefix, decider, readModel } = aggregate;
  const stream = streamName(streamPrefix, id);
  const decision = decider.decide(before.state, command);
  if (isRejection<Code>(decision)) return { kind: 'rejected', code: decision.rejected };

  const step = evolve(decider);
  let { state, row, version } = before;
  const events: NewEvent[] = [];
  const take: (Wanted<Taken> & Reservation)[] = [];
  const release: Reservation[] = [];
  for (const event of decision) {
    version += 1;
    const meta: Meta = { streamId: id, version, occurredAt: context.occurredAt, actor: context.actor };
    const reservations = aggregate.reservations?.(event, state);
    take.push(...(reservations?.take ?? []).map((wanted) => ({ ...wanted, holder: id })));
    release.push(...(reservations?.release ?? []).map((held) => ({ ...held, holder: id })));
    state = step(state, event, meta);
    row = readModel.apply(row, event, meta);
    events.push(await newEvent(kit, event, stream, meta, aggregate.subject(state, id), context));
  }
  if (row === undefined)
    throw new Error(`${stream}: a command on nothing was neither refused nor the birth of anything`);
  const writes: RowWrite[] =
    events.length === 0
      ? []
      : [{ upsert: readModel.table, row: row as object }, ...scheduled(aggregate, id, before.state, state, version)];
  return {
    kind: 'planned',
    plan: {
      kind: 'plan',
      command: command.type,
      before: before.row,
      done: { kind: 'done', row, version, changed: events.length > 0 },
      append: { stream, expected: before.version, events },
      take,
      release,
      writes,
    },
    after: { state, row, version },
  };
};

/** The stream's row in the schedule: written where something is due, taken away where something was. */
const scheduled = <State, C, E extends Event, Code extends string, Birth extends E['type'], Row, T extends string>(
  { streamPrefix, nextDue }: Aggregate<State, C, E, Code, Birth, Row, T>,
  id: string,
  before: State | undefined,
  after: State | undefined,
  version: number,
): readonly RowWrite[] => {
  const dueAt = after === undefined ? null : (nextDue?.(after) ?? null);
  const wasDue = before !== undefined && (nextDue?.(before) ?? null) !== null;
  return dueAt !== null || wasDue ? [scheduleRow(dueAt, { id, version, streamPrefix })] : [];
};

const newEvent = async (
  { catalog, keys }: PlanKit,
  event: Event,
  stream: string,
  { streamId, version }: Meta,
  subject: string | null,
  { newId, ...metadata }: CommandContext,
): Promise<NewEvent> => {
  const compiled = catalog.get(event.type);
  if (compiled === undefined) throw new Error(`${event.type} is not in this service's registry`);
  const id = newId();
  const subjectKey = compiled.personal !== undefined && subject !== null ? await keys.keyFor(subject) : undefined;
  const key = compiled.busKey === undefined ? streamId : fieldOf(event.data, compiled.busKey);
  return {
    id,
    stream,
    version,
    topic: compiled.topic,
    key,
    lane: laneOf(key),
    subject,
    type: event.type,
    schemaVersion: compiled.version,
    data: sealEvent(compiled, event, id, subjectKey),
    metadata,
  };
};

const fieldOf = (data: unknown, field: string): string => {
  const value = typeof data === 'object' && data !== null ? (data as Record<string, unknown>)[field] : undefined;
  if (typeof value !== 'string') throw new Error(`the bus key ${field} is not in the data`);
  return value;
};
