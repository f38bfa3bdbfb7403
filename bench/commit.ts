/** The append rows: commits of event, row and idempotency key through our executor beside pgbench's bare INSERT. */
import { bareInserts, findPgbench } from './pgbench.ts';
import { createDatabase, type Database, type Server } from './postgres.ts';
import { type Cell, median, notRun, perSecond, type Row } from './report.ts';

export interface CommitOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly progress: (text: string) => void;
}

/** Commits a second by so many concurrent writers, for so many seconds. */
type Writers = (writers: number, seconds: number) => Promise<number>;

/** What one of our commits writes, as one row: an event of 700 bytes with its metadata. */
const BYTES = 700;
const COUNTS = [1, 16, 64] as const;

export async function commitRows(server: Server, folder: string, options: CommitOptions): Promise<Row[]> {
  const ours = await attempt(async () => ourCommits(await createDatabase(server, 'bench_commit')));
  const bare = await attempt(async () =>
    bareInserts(await findPgbench(), await createDatabase(server, 'bench_bare'), folder, BYTES),
  );
  const rows: Row[] = [];
  for (const writers of COUNTS) {
    const what = `commit event + row + key, ${writers} writer${writers === 1 ? '' : 's'}, pgbench INSERT`;
    options.progress(what);
    const samples = { ours: [] as number[], bare: [] as number[] };
    for (let round = 0; round < options.rounds; round++) {
      if (typeof ours === 'function') samples.ours.push(await ours(writers, options.seconds));
      if (typeof bare === 'function') samples.bare.push(await bare(writers, options.seconds));
    }
    const cell = (writer: Writers | Cell, rates: number[]): Cell =>
      typeof writer === 'function' ? perSecond(median(rates)) : writer;
    const aim = writers === 64 ? { aim: '≥ 0.5 ×' } : {};
    rows.push({ what, ours: cell(ours, samples.ours), peer: cell(bare, samples.bare), ...aim });
  }
  return rows;
}

const attempt = (make: () => Promise<Writers>): Promise<Writers | Cell> => make().catch(notRun);

async function ourCommits(_database: Database): Promise<Writers> {
  throw new Error('the executor is not wired in yet');
}
