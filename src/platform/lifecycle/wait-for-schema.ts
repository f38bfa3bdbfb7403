/**
 * A process that does not migrate waits until somebody has: for the server, for its login, and for every migration that
 * this release brings. None of it is an error, for processes may start in any order.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { type MigrationTarget, migrationStatus } from '../migrations/migrate.ts';
import { DatabaseUnavailable } from '../sql/errors.ts';
import { errorInWords } from '../telemetry/error-words.ts';

/** `what` may be read by anybody; `details` name addresses, and are for the log. */
export type Waiting = { readonly what: string; readonly details: string };

const LOOK_AGAIN = 500;

/** Returns once all targets are as this release needs them; says each thing that is waited for once, in a row. */
export const waitForSchema = async (
  targets: readonly MigrationTarget[],
  report: (waiting: Waiting) => void,
): Promise<void> => {
  let told = '';
  for (;;) {
    const waiting = await firstMissing(targets);
    if (waiting === undefined) return;
    if (waiting.details !== told) report(waiting);
    told = waiting.details;
    await pause(LOOK_AGAIN);
  }
};

const firstMissing = async (targets: readonly MigrationTarget[]): Promise<Waiting | undefined> => {
  for (const target of targets) {
    const waiting = await missing(target);
    if (waiting) return waiting;
  }
  return undefined;
};

const missing = async (target: MigrationTarget): Promise<Waiting | undefined> => {
  const { schema, address } = target;
  try {
    const pending = (await migrationStatus(target)).filter(({ appliedAt }) => appliedAt === null);
    if (pending.length === 0) return undefined;
    const names = pending.map(({ name }) => name).join(', ');
    return {
      what: `the schema ${schema}`,
      details: `the schema ${schema}: run taskwire migrate, for it lacks ${names}`,
    };
  } catch (error) {
    const where = `the database at ${address.host}:${address.port}`;
    if (error instanceof DatabaseUnavailable) return { what: 'the database', details: where };
    // A login or a right that is missing may come with the migration; if it does not, the log says what is wrong.
    return { what: 'the database', details: `${where} to let ${address.user} in: ${errorInWords(error)}` };
  }
};
