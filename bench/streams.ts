/** How long it takes to load a stream and fold its state. */
import { createDatabase, type Database, type Server } from './postgres.ts';
import { type Cell, notRun, type Row } from './report.ts';

const LENGTHS = [10, 100, 1000] as const;

export async function streamRows(server: Server, progress: (text: string) => void): Promise<Row[]> {
  const database = await createDatabase(server, 'bench_streams');
  const rows: Row[] = [];
  for (const length of LENGTHS) {
    const what = `load a stream of ${length} events`;
    progress(what);
    rows.push({ what, ours: await loadTime(database, length).then(inMilliseconds, notRun) });
  }
  return rows;
}

const inMilliseconds = (value: number): Cell => ({ value, text: `${value.toFixed(2)} ms` });

/** Milliseconds, the median of many loads. */
async function loadTime(_database: Database, _length: number): Promise<number> {
  throw new Error('the store is not wired in yet');
}
