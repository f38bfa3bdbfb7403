/** The append rows: commits of event, row and idempotency key through our executor, beside pgbench's bare INSERT. */
import { v7 as uuidv7 } from 'uuid';
import { handle } from '../src/platform/commit/command-handler.ts';
import type { ServiceKit } from '../src/platform/lifecycle/service-kit.ts';
import { context, OWNER, openKit, TITLE, tasks } from './kit.ts';
import type { Options } from './options.ts';
import { bareInserts } from './pgbench.ts';
import { createDatabase, type Database, type Server } from './postgres.ts';
import { type Figure, grouped, median, type Row } from './report.ts';
import { Series } from './series.ts';

/** Does what it does with so many concurrent writers for so many seconds; answers how often a second. */
export type Writers = (writers: number, seconds: number) => Promise<number>;

const COUNTS = [1, 16, 64] as const;

export async function commitRows(server: Server, folder: string, options: Options): Promise<Row[]> {
  const commits = await orRejecting(ourCommits(await createDatabase(server, 'bench_commit')));
  const inserts = await orRejecting(bareInserts(await createDatabase(server, 'bench_inserts'), folder));
  const rows: Row[] = [];
  for (const count of COUNTS) {
    const what = `commit event, row and key, ${count} at once, pgbench INSERT`;
    options.progress(what);
    const ours = new Series<number>();
    const peer = new Series<number>();
    for (let round = 0; round < options.rounds; round++) {
      await ours.add(() => commits(count, options.seconds));
      await peer.add(() => inserts(count, options.seconds));
    }
    rows.push({ what, ours: ours.cell(rate), peer: peer.cell(rate), aim: count === 64 ? '≥ 0.5 ×' : undefined });
  }
  return rows;
}

function rate(samples: readonly number[]): Figure {
  const value = median(samples);
  return { value, text: `${grouped(value)}/s` };
}

/** What cannot be made ready fails in each of its rows. */
const orRejecting = (writers: Promise<Writers>): Promise<Writers> =>
  writers.catch((error: unknown) => () => Promise.reject(error));

export const createTask = async ({ commands }: ServiceKit, by = OWNER): Promise<void> => {
  const fields = { title: TITLE, description: null, priority: 'medium', categoryId: null, due: null } as const;
  const idempotency = { principal: by, route: 'POST /tasks', key: uuidv7(), bodyHash: 'bench' };
  const command = { type: 'CreateTask', by, fields } as const;
  const outcome = await handle(
    commands,
    tasks,
    uuidv7(),
    command,
    { ...context(), actor: by },
    { isNew: true, idempotency },
  );
  if (outcome.kind !== 'done') throw new Error(`a commit was answered with ${outcome.kind}`);
};

/** New tasks: one event, the read-model row and an idempotency record each, decided, sealed and committed. */
async function ourCommits(database: Database): Promise<Writers> {
  const kit = await openKit(database);
  return async (writers, seconds) => {
    const began = performance.now();
    let committed = 0;
    const write = async () => {
      for (; performance.now() - began < seconds * 1000; committed++) await createTask(kit);
    };
    await Promise.all(Array.from({ length: writers }, write));
    return committed / ((performance.now() - began) / 1000);
  };
}
