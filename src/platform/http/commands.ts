/** A command behind a route: the request becomes a context, the outcome an answer. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { inTrace } from '../commit/caused.ts';
import type { CommandKit, CommandOptions } from '../commit/command-handler.ts';
import type { Outcome } from '../commit/outcome.ts';
import type { CommandContext } from '../commit/plan.ts';
import type { Event } from '../decider.ts';
import type { Published } from '../event-store/published.ts';
import { eventsOf } from '../event-store/store.ts';
import type { IdempotencyRecords } from '../idempotency/records.ts';
import { newId } from '../keys/ids.ts';
import type { ReadModel } from '../read-models/fold.ts';
import { historyOf } from '../read-models/history.ts';
import { traced } from '../telemetry/tracing.ts';
import { answerToken, type TokenOf } from './consistency.ts';
import { idempotencyInFlight, keyedRequest, once } from './idempotency.ts';
import { etagOf, ifMatch } from './preconditions.ts';
import { type ProblemTable, refusal, refuse } from './problems.ts';

export type WriteKit = {
  readonly commands: CommandKit;
  readonly records: IdempotencyRecords;
  /** Keys in use in this process. */
  readonly underWay: Set<string>;
  /** The Consistency-Token of what was published here. */
  readonly tokenOf: TokenOf;
};

/** How a row is shown to people. */
export type Presenter<Row, Resource extends object> = {
  readonly readModel: Pick<ReadModel<Row, Event>, 'apply'>;
  readonly present: (row: Row) => Resource;
};
/** A read model's events are the service's own; a presenter folds whatever lies in a stream of theirs. */
export const presenter = <Row, E extends Event, Resource extends object>(
  readModel: ReadModel<Row, E>,
  present: (row: Row) => Resource,
): Presenter<Row, Resource> => ({
  readModel: { apply: (row, event, meta) => readModel.apply(row, event as E, meta) },
  present,
});

export type CommandRoute<Row, Code extends string, Resource extends object> = {
  readonly presenter: Presenter<Row, Resource>;
  /** Every code that the command may be refused with; one that is missing does not compile. */
  readonly problems: ProblemTable<Code>;
  readonly run: (context: CommandContext, options: CommandOptions) => Promise<Outcome<Row, Code>>;
  /** Of a creation: where the new thing is. */
  readonly location?: (resource: Resource) => string;
  /** It may take several commits: a key is looked up before the first of them, not refused by the last. */
  readonly inSteps?: boolean;
};

/**
 * A command that a request gives: the request is its cause, its correlation and its trace; the clock and new ids are
 * real.
 */
export const contextOf = (request: FastifyRequest, actor: string): CommandContext => ({
  correlationId: request.id,
  causationId: request.id,
  requestId: request.id,
  actor,
  traceparent: request.trace.traceparent,
  occurredAt: new Date().toISOString(),
  newId,
});

/** A route's operation is a command of the domain: `completeTask` is CompleteTask. */
const commandOf = ({ routeOptions: { schema } }: FastifyRequest): string => {
  const operation = String(Object(schema).operationId ?? 'command');
  return `${operation.slice(0, 1).toUpperCase()}${operation.slice(1)}`;
};

/**
 * 200 with the resource, 201 with its Location for a creation, 204 for a DELETE; the problem of a rejection. A repeated
 * request answers the token of the first one, and one that changed nothing that of whoever made it so: what the client
 * relies on may not be known elsewhere yet, and it cannot tell. It costs such requests a trip, and others nothing.
 */
export const runCommand = async <Row, Code extends string, Resource extends object>(
  kit: WriteKit,
  request: FastifyRequest,
  reply: FastifyReply,
  { presenter, problems, run, location, inSteps = false }: CommandRoute<Row, Code, Resource>,
): Promise<FastifyReply> => {
  const { store } = kit.commands;
  const answer = (row: Row, version: number, published: Published | undefined): FastifyReply => {
    const resource = presenter.present(row);
    reply.header('etag', etagOf(version));
    answerToken(reply, kit.tokenOf, published);
    if (request.method === 'DELETE') return reply.code(204).send();
    if (location) reply.code(201).header('location', location(resource));
    return reply.send(resource);
  };
  const actor = request.principal?.userId ?? 'anonymous';
  const keyed = request.principal ? keyedRequest(request) : undefined;
  return once(
    { ...kit, lookUpFirst: inSteps },
    keyed,
    async () => {
      const ifVersion = location ? undefined : ifMatch(request); // what is being created has no version yet
      const command = commandOf(request);
      const { service } = kit.commands;
      const outcome = await traced(
        command,
        {
          parent: request.trace.traceparent,
          attributes: { 'taskwire.service': service, 'taskwire.command': command },
        },
        async (span) => {
          const context = inTrace(contextOf(request, actor), span);
          const outcome = await run(context, { ifVersion, idempotency: keyed });
          span.set({ 'taskwire.outcome': outcome.kind });
          return outcome;
        },
      );
      switch (outcome.kind) {
        case 'done': {
          const { row, version, changed, stream, published } = outcome;
          return { final: answer(row, version, changed ? published : await store.publishedWith(stream, version)) };
        }
        case 'rejected': {
          const { code, errors } = outcome;
          return { refusal: refusal(problems, code, errors && { errors }) };
        }
        case 'stale': {
          const { expected, current, past } = outcome;
          const changesSince = historyOf(presenter.readModel, presenter.present, past).slice(expected);
          const members = { expectedVersion: expected, currentVersion: current, changesSince };
          return { refusal: refuse('version-conflict', { members }) };
        }
        case 'seen':
        case 'in-flight':
          return { refusal: idempotencyInFlight() }; // unless the record is found
      }
    },
    async ({ results: [result] }) => {
      if (result === undefined || !('stream' in result)) throw new Error('an idempotency record names no stream');
      const { stream, version } = result;
      const [events, published] = await Promise.all([store.load(stream), store.publishedWith(stream, version)]);
      let row: Row | undefined;
      for (const { event, meta } of eventsOf(events).slice(0, version))
        row = presenter.readModel.apply(row, event, meta);
      if (row === undefined) throw new Error(`${stream} is empty`);
      reply.header('idempotency-replayed', 'true');
      return answer(row, version, published);
    },
  );
};
