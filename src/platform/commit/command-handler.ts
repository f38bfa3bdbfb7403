/** How a command runs, from whatever door it comes: in line for its stream, load, decide, commit, and again if need be. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Event, Named } from '../decider.ts';
import { streamName } from '../event-store/event.ts';
import { metrics } from '../telemetry/metrics.ts';
import type { Aggregate } from './aggregate.ts';
import type { Append, Commit, IdempotencyScope, RowWrite, Verdict } from './commit.ts';
import type { Executor } from './executor.ts';
import { observed } from './observed.ts';
import {
  type CarriedOut,
  Contended,
  type Outcome,
  type Rejected,
  type Repeated,
  rejected,
  type Stale,
  type Withdrawn,
} from './outcome.ts';
import { type CommandContext, type Plan, type PlanKit, plan } from './plan.ts';
import type { StreamQueue } from './stream-queue.ts';

export type CommandKit = PlanKit & {
  /** Whose commands these are, by name. */
  readonly service: string;
  readonly executor: Executor;
  readonly queue: StreamQueue;
};

/** What a command may bring along beside its own words. */
export type CommandOptions = {
  /** The version that the caller insists on (If-Match); without it, other processes' writes are decided upon again. */
  readonly ifVersion?: number | undefined;
  /** The id was made for this command: there is no stream to load. */
  readonly isNew?: boolean;
  readonly idempotency?: (IdempotencyScope & { readonly bodyHash: string }) | undefined;
  /** Rows of the same transaction: credentials, sessions. */
  readonly writes?: readonly RowWrite[];
};

// A time, not a number of tries: beside another process that writes the same stream without a pause most tries fail, and
// the more so the busier the machine is (of 256 such commands two failed 8 times, and once one failed 20 times).
const PATIENCE = 1_000;
const PAUSE = 10;

/** Streams that a decision relies on, at the versions it saw: guards of the commit. */
export type Reliance = readonly Append[];

/**
 * Carries out one command on one aggregate. Writes of other processes to the same stream lead to another load and
 * decision, for a second, then throw Contended; a named version that no longer holds is answered as stale.
 * `lookUp` says, at each try anew and of the row as it was before, what else the command relies on, or why it cannot be.
 */
export const handle = <
  State,
  Command extends Named,
  E extends Event,
  Code extends string,
  Birth extends E['type'],
  Row,
  Taken extends string = never,
  Missing extends string = never,
>(
  kit: CommandKit,
  aggregate: Aggregate<State, Command, E, Code, Birth, Row, Taken>,
  id: string,
  command: Command,
  context: CommandContext,
  options: CommandOptions = {},
  lookUp: (before: Row | undefined) => Promise<Reliance | Rejected<Missing>> = async () => [],
): Promise<Outcome<Row, Code | Taken | Missing>> =>
  carryOut<Row, Code | Missing, Taken>(
    kit,
    command.type,
    [streamName(aggregate.streamPrefix, id)],
    options,
    async () => {
      const planned = await plan(kit, aggregate, id, command, context, options);
      if (planned.kind !== 'plan') return planned;
      const reliesOn = await lookUp(planned.before);
      return 'kind' in reliesOn
        ? reliesOn
        : { kind: 'plans', plans: [planned], reliesOn, writes: options.writes ?? [] };
    },
  );

/** What shall be committed together; the outcome of the first plan is the answer. */
export type Plans<Row, Taken extends string> = {
  readonly kind: 'plans';
  readonly plans: readonly [Plan<Row, Taken>, ...Plan<unknown, Taken>[]];
  readonly reliesOn: Reliance;
  readonly writes: readonly RowWrite[];
};
/** Plans that rely on nothing beside their own streams. */
export const plansOf = <Row, Taken extends string>(...plans: Plans<Row, Taken>['plans']): Plans<Row, Taken> => ({
  kind: 'plans',
  plans,
  reliesOn: [],
  writes: [],
});

/**
 * Carries out what `decide` planned for `streams`; it is asked again whenever another process got between, and may withdraw
 * then. `command` is the name of what was asked for, as the domain calls it.
 */
export const carryOut = <Row, Code extends string, Taken extends string, Left extends Withdrawn = never>(
  kit: CommandKit,
  command: string,
  streams: readonly string[],
  options: Pick<CommandOptions, 'idempotency'>,
  decide: () => Promise<Plans<Row, Taken> | Rejected<Code> | Stale | Left>,
): Promise<Outcome<Row, Code | Taken> | Left> =>
  observed(kit.service, command, () => kit.queue.inLine(streams, () => untilSettled(kit, options, decide)));

const untilSettled = async <Row, Code extends string, Taken extends string, Left extends Withdrawn>(
  kit: CommandKit,
  { idempotency }: Pick<CommandOptions, 'idempotency'>,
  decide: () => Promise<Plans<Row, Taken> | Rejected<Code> | Stale | Left>,
): Promise<{
  readonly outcome: Outcome<Row, Code | Taken> | Left;
  readonly plans: readonly Plan<unknown, Taken>[];
}> => {
  const patience = performance.now() + PATIENCE;
  do {
    const decided = await decide();
    if (decided.kind !== 'plans') return { outcome: decided, plans: [] };
    const { plans, writes } = decided;
    const [{ done, append }] = plans;
    const isWrite = plans.some((one) => one.done.changed) || writes.length > 0 || idempotency !== undefined;
    if (!isWrite) return { outcome: { ...done, stream: append.stream, published: undefined }, plans };
    const outcome = outcomeOf(await kit.executor.commit(commitOf(decided, idempotency)), plans);
    if (outcome) return { outcome, plans };
    metrics.commandRetries.inc({ service: kit.service });
    await pause(Math.random() * PAUSE);
  } while (performance.now() < patience);
  throw new Contended('other processes write to this at the same time');
};

const commitOf = (
  { plans, reliesOn, writes }: Plans<unknown, string>,
  idempotency: CommandOptions['idempotency'],
): Commit => ({
  // An unchanged stream stays in the commit: that it is at this version is what the answer rests on.
  appends: [...plans.map(({ append }) => append), ...reliesOn],
  take: plans.flatMap(({ take }) => take.map(({ scope, value, holder }) => ({ scope, value, holder }))),
  release: plans.flatMap(({ release }) => release),
  writes: [...plans.flatMap((one) => one.writes), ...writes],
  idempotency: idempotency && {
    ...idempotency,
    results: plans.slice(0, 1).map(({ append, done }) => ({ stream: append.stream, version: done.version })),
  },
});

/** undefined = decide again. */
const outcomeOf = <Row, Taken extends string>(
  verdict: Verdict,
  plans: Plans<Row, Taken>['plans'],
): CarriedOut<Row> | Rejected<Taken> | Repeated | undefined => {
  switch (verdict.verdict) {
    case 'accepted':
      return { ...plans[0].done, stream: plans[0].append.stream, published: verdict.published };
    case 'seen':
    case 'in-flight':
      return { kind: verdict.verdict };
    case 'taken': {
      const wanted = plans.flatMap(({ take }) => take).find(({ scope }) => scope === verdict.scope);
      if (wanted === undefined) throw new Error(`nobody wanted a reservation in ${verdict.scope}`);
      return rejected(wanted.otherwise);
    }
    case 'duplicate':
      throw new Error('a fresh event id exists already');
    case 'busy':
    case 'stale':
    case 'missed':
      return undefined;
  }
};
