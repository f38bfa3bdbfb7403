/** From a stream's past and a command to what shall be committed: load, decide, fold, seal. Commits nothing itself. */
import { type Event, isRejection, type Meta } from '../decider.ts';
import type { EventCatalog } from '../event-store/catalog.ts';
import { sealEvent } from '../event-store/codec.ts';
import { type Metadata, type NewEvent, streamName } from '../event-store/event.ts';
import { evolve } from '../event-store/evolve.ts';
import { laneOf } from '../event-store/lane.ts';
import { type EventStore, eventsOf } from '../event-store/store.ts';
import type { KeyRing } from '../keys/key-ring.ts';
import type { Aggregate, Wanted } from './aggregate.ts';
import type { Append, Reservation, Row } from './commit.ts';
import type { Done, Rejected, Stale } from './outcome.ts';

/** Who asks for what, when, and as part of what; time and ids come from the edge. */
export type CommandContext = Metadata & {
  /** Makes the ids of the events: fresh ones for a request, derived ones for a policy. */
  readonly newId: () => string;
};

/** What one command would write. Several plans for different streams may go into one commit. */
export type Plan<Row_, Taken extends string> = {
  readonly kind: 'plan';
  /** The read model's row that the command found; undefined at a birth. */
  readonly before: Row_ | undefined;
  readonly done: Done<Row_>;
  readonly append: Append;
  readonly take: readonly (Wanted<Taken> & Reservation)[];
  readonly release: readonly Reservation[];
  readonly rows: readonly Row[];
};

export type PlanKit = { readonly store: EventStore; readonly catalog: EventCatalog; readonly keys: KeyRing };

/** `ifVersion` is the version that the caller insists on. */
export const plan = async <
  State,
  Command,
  E extends Event,
  Code extends string,
  Birth extends E['type'],
  R,
  Taken extends string,
>(
  kit: PlanKit,
  aggregate: Aggregate<State, Command, E, Code, Birth, R, Taken>,
  id: string,
  command: Command,
  context: CommandContext,
  options: { readonly ifVersion?: number | undefined; readonly isNew?: boolean | undefined } = {},
): Promise<Plan<R, Taken> | Rejected<Code> | Stale> => {
  const { streamPrefix, decider, readModel, notFound } = aggregate;
  const stream = streamName(streamPrefix, id);
  const past = options.isNew ? [] : eventsOf<E>(await kit.store.load(stream));
  const step = evolve(decider);
  let state: State | undefined;
  let row: R | undefined;
  for (const { event, meta } of past) {
    state = step(state, event, meta);
    row = readModel.apply(row, event, meta);
  }

  const current = past.length;
  const before = row;
  const decision = decider.decide(state, command);
  const refused = isRejection<Code>(decision) ? decision.rejected : undefined;
  if (refused !== undefined && refused === notFound) return { kind: 'rejected', code: refused };
  if (options.ifVersion !== undefined && options.ifVersion !== current) {
    return { kind: 'stale', expected: options.ifVersion, current, past };
  }
  if (refused !== undefined) return { kind: 'rejected', code: refused };

  const events: NewEvent[] = [];
  const take: (Wanted<Taken> & Reservation)[] = [];
  const release: Reservation[] = [];
  for (const event of isRejection(decision) ? [] : decision) {
    const meta: Meta = {
      streamId: id,
      version: current + events.length + 1,
      occurredAt: context.occurredAt,
      actor: context.actor,
    };
    const reservations = aggregate.reservations?.(event, state);
    take.push(...(reservations?.take ?? []).map((wanted) => ({ ...wanted, holder: id })));
    release.push(...(reservations?.release ?? []).map((held) => ({ ...held, holder: id })));
    state = step(state, event, meta);
    row = readModel.apply(row, event, meta);
    events.push(await newEvent(kit, event, stream, meta, aggregate.subject(state, id), context));
  }
  if (row === undefined)
    throw new Error(`${stream}: a command on nothing was neither refused nor the birth of anything`);
  return {
    kind: 'plan',
    before,
    done: { kind: 'done', row, version: current + events.length, changed: events.length > 0 },
    append: { stream, expected: current, events },
    take,
    release,
    rows: events.length > 0 ? [{ upsert: readModel.table, row: row as object }] : [],
  };
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
