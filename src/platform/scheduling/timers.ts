/**
 * What an aggregate does when its time has come: a command that carries the time, from its schedule instead of a person.
 * The command runs as any other does, and the events that it leads to set what is due next; the lease ends in the same
 * commit, so that of several workers that think it is theirs one fires.
 */
import type { Aggregate } from '../commit/aggregate.ts';
import { causedBy, inTrace } from '../commit/caused.ts';
import { type CommandKit, carryOut, type Plans, plansOf } from '../commit/command-handler.ts';
import { type Rejected, WITHDRAWN, type Withdrawn } from '../commit/outcome.ts';
import { type Loaded, loadedFrom, type Plan, planOn } from '../commit/plan.ts';
import type { Event, Named } from '../decider.ts';
import { streamName } from '../event-store/event.ts';
import { eventsOf } from '../event-store/store.ts';
import { traced } from '../telemetry/tracing.ts';
import type { Claim } from './claims.ts';
import { scheduleRow } from './schedule.ts';
import type { Work } from './worker.ts';

export type Timer<Command> = {
  /** Who does it, as its events will say. */
  readonly actor: string;
  /** `now` is RFC 3339, UTC, to the millisecond, by the database's clock. */
  readonly commandAt: (now: string) => Command;
};

/**
 * What a worker runs for each claim on such an aggregate. When nothing is due on its stream any more, the schedule is
 * set right and the claim released. Throws when the command was rejected, or changed nothing though it was due: released,
 * it would be claimed again at once and for ever.
 */
export const timer = <
  State,
  Command extends Named,
  E extends Event,
  Code extends string,
  Birth extends E['type'],
  Row,
  Taken extends string = never,
>(
  kit: CommandKit,
  aggregate: Aggregate<State, Command, E, Code, Birth, Row, Taken>,
  { actor, commandAt }: Timer<Command>,
): Work['run'] => {
  const { streamPrefix, nextDue } = aggregate;

  const decide = async (
    claim: Claim,
    stream: string,
    command: Command,
  ): Promise<Plans<Row | undefined, Taken> | Rejected<Code> | Withdrawn> => {
    const [events, isHeld] = await Promise.all([kit.store.load(stream), claim.isHeld()]);
    if (!isHeld) return WITHDRAWN; // whoever has it now fires
    const past = eventsOf<E>(events);
    const newest = past.at(-1);
    const loaded = loadedFrom(aggregate, past);
    const dueAt = loaded.state === undefined ? null : (nextDue?.(loaded.state) ?? null);
    if (newest === undefined || dueAt === null || Date.parse(dueAt) > Date.parse(claim.now)) {
      const right = scheduleRow(dueAt, { id: claim.id, version: loaded.version, streamPrefix });
      return { ...plansOf(unchanged(stream, command.type, loaded)), writes: [right, claim.release] };
    }
    // It may be weeks later: a trace of its own, linked to what set the time.
    const planned = await traced(`timer ${streamPrefix}`, { links: [newest.metadata.traceparent] }, (span) =>
      planOn(kit, aggregate, claim.id, loaded, command, inTrace(causedBy(newest, actor), span)),
    );
    if (planned.kind === 'rejected') return planned;
    if (!planned.plan.done.changed) throw new Error(`${stream} was due at ${dueAt}, and nothing came of it`);
    return { ...plansOf(planned.plan), writes: [claim.release] };
  };

  return async (claim) => {
    const stream = streamName(streamPrefix, claim.id);
    const command = commandAt(claim.now);
    const outcome = await carryOut(kit, command.type, [stream], {}, () => decide(claim, stream, command));
    if (outcome.kind === 'done' || outcome.kind === 'withdrawn') return;
    const code = outcome.kind === 'rejected' ? outcome.code : outcome.kind;
    throw new Error(`the timer of ${stream} was refused: ${code}`);
  };
};

/** The stream stays as it is, and must be at this version still. */
const unchanged = <Row>(
  stream: string,
  command: string,
  { row, version }: Loaded<unknown, Row>,
): Plan<Row | undefined, never> => ({
  kind: 'plan',
  command,
  before: row,
  done: { kind: 'done', row, version, changed: false },
  append: { stream, expected: version, events: [] },
  take: [],
  release: [],
  writes: [],
});
