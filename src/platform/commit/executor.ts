/**
 * The one place where anything is written. Commands that wait at the same moment are committed together:
 *
 *   waiting ──(at most 2 batches in flight, 64 commits each, a claim in one batch only)──► trip 1 ──► trip 2
 *
 *   trip 1   begin; append: each commit gets a verdict, the accepted ones are appended
 *            nobody accepted ─► rollback
 *   trip 2   the rows of the accepted ones; commit
 *            tag COMMIT      ─► answered
 *            tag ROLLBACK    ─► nothing happened: one commit's own fault, then each runs alone; else the error is told
 *            connection lost ─► unknown: settled on another connection before anyone is answered
 *
 * Rejected: a savepoint for each command (3 more trips, and subtransactions), all-or-nothing batches (25 conflicts
 * failed 1,500 commands), one function call per command (a third of the throughput).
 */
import type { Database } from '../sql/database.ts';
import { DatabaseUnavailable, EXPECTATION_MISSED, StatementFault } from '../sql/errors.ts';
import { metrics } from '../telemetry/metrics.ts';
import { selectBatch } from './batch.ts';
import { type Claims, type Commit, claimsOf, type Verdict } from './commit.ts';
import type { Admit } from './lines.ts';
import { OutcomeUnknown } from './settle.ts';
import { createTransactions, type Written } from './transaction.ts';

export type Executor = {
  /**
   * Carries out a commit. Rejects with DatabaseUnavailable when nothing happened and nothing could, and with
   * OutcomeUnknown when it cannot be told in time whether it did. Answers within `deadline` ms, 2,700 at the most.
   */
  commit(commit: Commit, deadline?: number): Promise<Verdict>;
  /** Waits for what is under way; further commits are refused. */
  close(): Promise<void>;
};

const BATCHES = 2;
const COMMITS = 64;
const DEADLINE = 2_700;

type Waiting = {
  readonly commit: Commit;
  readonly claims: Claims;
  readonly resolve: (verdict: Verdict) => void;
  readonly reject: (error: unknown) => void;
};
/** What became of one commit of a batch: a verdict, or the error it is answered with. */
type Outcome = Verdict | { readonly error: unknown };

export type ExecutorHooks = {
  /** Called at the durable steps by their names: tests kill the process there. */
  readonly failPoint?: (name: string) => void;
  /** Called after something was committed, so that those who wait for events need not wait for their next look. */
  readonly committed?: () => void;
  /** Called with what a transaction wrote once it may be committed, and waited for before anyone is answered. */
  readonly written?: Written;
  /** Asked for each connection before anything is written on it. */
  readonly admit?: Admit | undefined;
};

/** `service` is whose database it is, by name. */
export const createExecutor = (service: string, database: Database, hooks: ExecutorHooks = {}): Executor => {
  const { failPoint = () => undefined, committed = () => undefined } = hooks;
  const { written = async () => undefined, admit = async () => undefined } = hooks;
  let waiting: Waiting[] = [];
  const inFlight = new Set<readonly Waiting[]>();
  const { transact, close } = createTransactions(service, database, failPoint, written, admit);
  let pumping = false;
  let closed = false;

  const pump = (): void => {
    pumping = false;
    while (waiting.length > 0 && inFlight.size < BATCHES) {
      const claims = [...inFlight].flat().map((one) => one.claims);
      const held = {
        own: new Set(claims.flatMap(({ own }) => own)),
        shared: new Set(claims.flatMap(({ shared }) => shared)),
      };
      const { batch, rest } = selectBatch(waiting, held, COMMITS);
      if (batch.length === 0) return;
      waiting = [...rest];
      inFlight.add(batch);
      void carryOut(batch).then((outcomes) => {
        inFlight.delete(batch);
        batch.forEach((one, n) => {
          const outcome = outcomes[n] ?? { error: new Error('a batch lost count of its commits') };
          if ('error' in outcome) one.reject(outcome.error);
          else one.resolve(outcome);
        });
        pump();
      });
    }
  };

  /** Never rejects: an outcome for each. */
  const carryOut = async (batch: readonly Waiting[]): Promise<readonly Outcome[]> => {
    try {
      const verdicts = await transact(batch.map(({ commit }) => commit));
      countEvents(service, batch, verdicts);
      if (verdicts.some(({ verdict }) => verdict === 'accepted')) committed();
      return verdicts;
    } catch (error) {
      // What is neither the database's state nor unknown was rolled back, and is one commit's fault or bug.
      const ofAll = error instanceof DatabaseUnavailable || error instanceof OutcomeUnknown;
      if (ofAll || batch.length === 1) return batch.map(() => outcomeOfFault(error));
      const outcomes: Outcome[] = [];
      for (const one of batch) outcomes.push(...(await carryOut([one])));
      return outcomes;
    }
  };

  return {
    commit: async (commit, deadline = DEADLINE) => {
      if (closed) throw new DatabaseUnavailable(new Error('this process is stopping'), false);
      const { promise, resolve, reject } = Promise.withResolvers<Verdict>();
      const one: Waiting = { commit, claims: claimsOf(commit), resolve, reject };
      waiting.push(one);
      if (!pumping) {
        pumping = true;
        setImmediate(pump); // the commits of this turn of the event loop go together
      }
      const timer = setTimeout(
        () => {
          const waits = waiting.includes(one);
          waiting = waiting.filter((other) => other !== one);
          reject(waits ? new DatabaseUnavailable(new Error('no turn in time'), false) : new OutcomeUnknown());
        },
        Math.min(deadline, DEADLINE),
      );
      return promise.finally(() => clearTimeout(timer));
    },
    close: async () => {
      closed = true;
      while (inFlight.size > 0 || waiting.length > 0) await new Promise((resolve) => setTimeout(resolve, 5));
      await close();
    },
  };
};

const countEvents = (service: string, batch: readonly Waiting[], verdicts: readonly Verdict[]): void => {
  for (const [n, { commit }] of batch.entries()) {
    if (verdicts[n]?.verdict !== 'accepted') continue;
    for (const { events } of commit.appends) for (const { type } of events) metrics.events.inc({ service, type });
  }
};

const outcomeOfFault = (fault: unknown): Outcome => {
  if (!(fault instanceof StatementFault)) return { error: fault };
  if (fault.sqlState === EXPECTATION_MISSED) return { verdict: 'missed' };
  // Another process appended between our look and our insert.
  if (fault.constraint === 'event_id_key') return { verdict: 'duplicate' };
  if (fault.constraint === 'event_stream_version_key') return { verdict: 'stale' };
  return { error: fault };
};
