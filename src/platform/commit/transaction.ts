/** The two trips of a batch, on one connection; the state machine stands at the head of executor.ts. */
import { type Database, statement } from '../sql/database.ts';
import { DatabaseUnavailable } from '../sql/errors.ts';
import { metrics } from '../telemetry/metrics.ts';
import { type Appended, appendArguments, rowStatements, verdictsOf } from './batch.ts';
import type { Commit, RowWrite, Verdict } from './commit.ts';
import { type Admit, createLines, type Line } from './lines.ts';
import { settle } from './settle.ts';

export type Transactions = {
  /**
   * Commits those of a batch that can be, and answers a verdict for each. Rejects when none was: with the fault of one
   * of them, with DatabaseUnavailable, or with OutcomeUnknown.
   */
  transact(commits: readonly Commit[]): Promise<readonly Verdict[]>;
  close(): Promise<void>;
};

const TRIES = 3;
const AT_ONCE = 500;
const APPEND = statement('append', 'select append($1, $2, $3, $4, $5, $6) as answer');
/** After trip 1. What is accepted and where it lies is known from here on, whatever becomes of the connection. */
type Begun = { readonly line: Line; readonly tx: string; readonly verdicts: readonly Verdict[] };

/** Never rejects. */
export type Written = (tx: string, writes: readonly RowWrite[]) => Promise<void>;

/**
 * `failPoint` is called at the durable steps by their names; `written` whatever became of a COMMIT, for where that is not
 * known it may have been done.
 */
export const createTransactions = (
  service: string,
  database: Database,
  failPoint: (name: string) => void,
  written: Written,
  admit: Admit,
): Transactions => {
  const lines = createLines(database, admit);

  /** Trip 1. What breaks here was not committed, so a connection that died while idle costs one more try, not a 503. */
  const append = async (commits: readonly Commit[]): Promise<Begun> => {
    for (let attempt = 1; ; attempt += 1) {
      const began = performance.now();
      const { kept, ...line } = await lines.take();
      try {
        const [, appended] = await Promise.all([
          line.session.query('begin'),
          line.session.query<{ answer: Appended }>(APPEND, appendArguments(line.era, commits)),
        ]);
        const answer = appended.rows[0]?.answer;
        if (answer === undefined) throw new Error('append answered nothing');
        return { line, tx: answer.tx, verdicts: verdictsOf(line.era, commits, answer) };
      } catch (error) {
        await lines.rollBack(line);
        // One that fell silent has used up the time of another try; then it is known at least that nothing happened.
        const atOnce = performance.now() - began < AT_ONCE;
        if (!(kept && connectionLost(error) && atOnce && attempt < TRIES)) throw error;
      }
    }
  };

  /** Trip 2, for the accepted ones. */
  const commit = async (line: Line, tx: string, accepted: readonly Commit[]): Promise<void> => {
    const { session } = line;
    const writing = rowStatements(accepted.flatMap(({ writes }) => writes)).map(({ statement, values }) =>
      session.query(statement, values),
    );
    const committing = session.query('commit');
    // COMMIT is looked at first: its tag tells what became of the transaction, which the others only explain.
    const [committed, ...written] = await Promise.allSettled([committing, ...writing]);
    failPoint('after-commit');
    if (committed.status === 'fulfilled' && committed.value.command === 'COMMIT') return lines.keep(line);
    if (committed.status === 'rejected' && connectionLost(committed.reason)) {
      await session.close();
      const firstEvent = accepted.flatMap(({ appends }) => appends.flatMap(({ events }) => events))[0]?.id;
      if (await settle(database, tx, firstEvent)) return;
      throw new DatabaseUnavailable(committed.reason, false);
    }
    await lines.rollBack(line);
    const failure = [...written, committed].find((result) => result.status === 'rejected');
    throw failure ? failure.reason : new Error('a transaction rolled back without saying why');
  };

  return {
    transact: async (commits) => {
      failPoint('before-append');
      metrics.batchCommits.observe({ service }, commits.length);
      const batchTook = metrics.batchSeconds.startTimer({ service });
      const appendTook = metrics.appendSeconds.startTimer({ service });
      const { line, tx, verdicts } = await append(commits);
      appendTook();
      failPoint('after-append');
      const accepted = commits.filter((_, n) => verdicts[n]?.verdict === 'accepted');
      if (accepted.length === 0) {
        await lines.rollBack(line);
        return verdicts;
      }
      try {
        await commit(line, tx, accepted);
      } finally {
        const writes = accepted.flatMap((one) => one.writes);
        await written(tx, writes);
      }
      batchTook();
      return verdicts;
    },
    close: () => lines.close(),
  };
};

const connectionLost = (error: unknown): boolean => error instanceof DatabaseUnavailable && error.connectionLost;
