/** The append rows: commits of event, row and idempotency key through our executor, beside pgbench's bare INSERT. */
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

async function ourCommits(_database: Database): Promise<Writers> {
  throw new Error('the executor is not wired in yet');
}
