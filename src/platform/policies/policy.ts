/**
 * A policy: events of others become commands of ours. With a state of its own (a projection of the same events) it is a
 * process manager, and since both are moved in one commit, it always decides on the state as of that very event.
 *
 * A command runs as any other does: load, decide, append. Those of a batch are each decided on what the ones before them
 * left, and go into one commit. Ids of events are derived from (cause, policy, n), so that what was done under them is
 * never done again. A rejection is an outcome that the policy has thought of: each code must be listed, or it does not
 * compile.
 */
import type { Aggregate } from '../commit/aggregate.ts';
import { causedBy, inTrace } from '../commit/caused.ts';
import type { CommandKit } from '../commit/command-handler.ts';
import type { Append, Reservation, RowWrite } from '../commit/commit.ts';
import type { Decided } from '../commit/observed.ts';
import type { Rejected } from '../commit/outcome.ts';
import { type CommandContext, type Loaded, loadedFrom, type Plan, planOn } from '../commit/plan.ts';
import type { DeliveryMeta, Event, Named } from '../decider.ts';
import type { Consumer, ConsumerKit, Effects } from '../event-bus/consumer.ts';
import type { Delivered } from '../event-bus/delivery.ts';
import { type RecordedEvent, streamName } from '../event-store/event.ts';
import { eventsOf } from '../event-store/store.ts';
import { deliveryMetaOf, folding, loadRows, type ProjectedRow, type Projection } from '../read-models/projection.ts';
import { beginSpan, type Span } from '../telemetry/tracing.ts';

export type Policy<State extends ProjectedRow, E extends Event, Wish> = {
  readonly begins: Consumer['begins'];
  /**
   * ms: of an event that is older when it is handled, `meta.late` says so, and the commands record instead of doing.
   * Whoever is away for days must not greet the guests of last week.
   */
  readonly maxAge: number;
  readonly state: Projection<State, E>;
  /** Pure. An event that leads to nothing says so. */
  readonly react: {
    readonly [T in E['type']]: (
      event: Extract<E, { type: T }>,
      state: State | undefined,
      meta: DeliveryMeta,
    ) => readonly Wish[];
  };
  /** What a wish means: a command on an aggregate of ours. */
  readonly act: (wish: Wish, meta: DeliveryMeta) => Act;
};

/** A command that a policy wants carried out; made by `act`. */
export type Act = {
  readonly stream: string;
  /** Its name. */
  readonly command: string;
  /** Plans it on how the stream stands, and answers how it stands then; or that it was rejected, as foreseen. */
  readonly plan: (
    kit: CommandKit,
    before: unknown,
    past: readonly RecordedEvent[],
    context: CommandContext,
  ) => Promise<
    { readonly kind: 'planned'; readonly plan: Plan<unknown, string>; readonly after: unknown } | Rejected<string>
  >;
};

/** `foreseen` lists every code that the command may be refused with, as no fault of the event. */
export const act = <
  State,
  Command extends Named,
  E extends Event,
  Code extends string,
  Birth extends E['type'],
  Row,
  Taken extends string,
>(
  aggregate: Aggregate<State, Command, E, Code, Birth, Row, Taken>,
  id: string,
  command: Command,
  foreseen: Readonly<Record<Code, 'ignored'>>,
): Act => ({
  stream: streamName(aggregate.streamPrefix, id),
  command: command.type,
  plan: async (kit, before, past, context) => {
    // `before` is what this very function answered for the same stream, which belongs to one aggregate.
    const loaded = (before as Loaded<State, Row> | undefined) ?? loadedFrom(aggregate, eventsOf<E>(past));
    const planned = await planOn(kit, aggregate, id, loaded, command, context);
    if (planned.kind === 'rejected' && !(planned.code in foreseen))
      throw new Error(`${aggregate.streamPrefix}: ${planned.code} was not foreseen`);
    return planned;
  },
});

/**
 * A consumer from a policy. State, commands and positions are one commit. A rejection that the act did not foresee
 * throws: it is the event’s fault.
 */
export const policy = <State extends ProjectedRow, E extends Event, Wish>(
  name: string,
  { begins, maxAge, state, react, act }: Policy<State, E, Wish>,
): Consumer => ({
  name,
  begins,
  kind: 'policy',
  types: Object.keys(react),
  table: state.table,
  fold: folding(state),
  handle: async (kit, events, commit) => {
    const rows = await loadRows(kit.database, state, events);
    const acts: Caused[] = [];
    for (const delivered of events) {
      const meta = deliveryMetaOf(delivered, await kit.isOlder(delivered.recordedAt, maxAge));
      const now = rows.apply(delivered);
      // The mapped type promises that the handler of a type takes that type; a look-up by a variable forgets it.
      const reaction = react[delivered.event.type as E['type']] as Policy<State, Event, Wish>['react'][string];
      acts.push(...reaction(delivered.event, now, meta).map((wish) => ({ cause: delivered, act: act(wish, meta) })));
    }
    const streams = [...new Set(acts.map(({ act }) => act.stream))];
    return kit.commands.queue.inLine(streams, async () => {
      const effects = await effectsOf(kit, name, streams, acts);
      return commit({ ...effects, writes: [...rows.changed(), ...effects.writes] });
    });
  },
});

type Caused = { readonly cause: Delivered; readonly act: Act };

/** What all the commands of a batch would write: for each stream the events of all of its commands, and its last rows. */
const effectsOf = async (
  { commands }: ConsumerKit,
  name: string,
  streams: readonly string[],
  acts: readonly Caused[],
): Promise<Effects> => {
  const past: ReadonlyMap<string, readonly RecordedEvent[]> =
    streams.length === 0 ? new Map() : await commands.store.loadMany(streams);
  const standings = new Map<string, unknown>();
  const appends = new Map<string, Append>();
  const writes = new Map<string, RowWrite>();
  const take: Reservation[] = [];
  const release: Reservation[] = [];
  const contexts = new Map<string, CommandContext>();
  const spans: Span[] = [];
  const decided: Decided[] = [];
  const began = new Date();
  for (const { cause, act } of acts) {
    const context = contexts.get(cause.id) ?? {
      ...inTrace(causedBy(cause, name), reactionTo(cause, name, spans)),
      occurredAt: inTurn(began, contexts.size),
    };
    contexts.set(cause.id, context);
    const stream = past.get(act.stream) ?? [];
    // Where this consumer begins anew (retired, registered again), what it did for the same event stands in the stream.
    if (stream.some(({ metadata }) => metadata.causationId === cause.id && metadata.actor === name)) continue;
    const planned = await act.plan(commands, standings.get(act.stream), stream, context);
    decided.push({ command: act.command, ended: planned.kind === 'rejected' ? planned : planned.plan.done });
    if (planned.kind === 'rejected') continue;
    const { plan, after } = planned;
    standings.set(act.stream, after);
    const before = appends.get(act.stream);
    appends.set(act.stream, { ...plan.append, ...(before && joined(before, plan.append)) });
    for (const write of plan.writes) writes.set(rowOf(write) ?? `${act.stream} ${writes.size}`, write);
    take.push(...plan.take.map(({ scope, value, holder }) => ({ scope, value, holder })));
    release.push(...plan.release);
  }
  for (const span of spans) span.end();
  const written = [...appends.values()].filter(({ events }) => events.length > 0);
  return { appends: written, take, release, writes: [...writes.values()], decided };
};

/** What comes of one event goes on in its trace. */
const reactionTo = ({ event, metadata }: Delivered, name: string, spans: Span[]): Span => {
  const span = beginSpan(`process ${event.type}`, {
    kind: 'consumer',
    parent: metadata.traceparent,
    attributes: { 'messaging.operation.type': 'process', 'messaging.consumer.group.name': name },
  });
  spans.push(span);
  return span;
};

/**
 * The instant of the nth cause of a batch: what is decided in one go happened one after the other, and lists that go by
 * time show it so. An odd number of microseconds, for the database drops trailing zeros, and one instant has one spelling.
 */
const inTurn = (began: Date, n: number): string =>
  `${began.toISOString().slice(0, -1)}${String(2 * n + 1).padStart(3, '0')}Z`;

const joined = (first: Append, then: Append): Append => ({ ...first, events: [...first.events, ...then.events] });

/** Of what is written whole, the last is what counts: two of one row cannot be in one statement. */
const rowOf = (write: RowWrite): string | undefined => {
  if ('remove' in write) return `${write.remove.name} ${write.id}`;
  return 'upsert' in write && 'id' in write.row ? `${write.upsert.name} ${write.row.id}` : undefined;
};
