/** How long it takes to load a stream and fold its state. */
import type { Options } from './options.ts';
import { createDatabase, type Database, type Server } from './postgres.ts';
import { type Figure, median, type Row } from './report.ts';
import { Series } from './series.ts';

const LENGTHS = [10, 100, 1000] as const;

export async function streamRows(server: Server, { rounds, progress }: Options): Promise<Row[]> {
  const database = await createDatabase(server, 'bench_streams');
  const rows: Row[] = [];
  for (const length of LENGTHS) {
    const what = `load a stream of ${length} events`;
    progress(what);
    const loads = new Series<number>();
    for (let round = 0; round < rounds; round++) await loads.add(() => loadTime(database, length));
    rows.push({ what, ours: loads.cell(inMilliseconds) });
  }
  return rows;
}

function inMilliseconds(samples: readonly number[]): Figure {
  const value = median(samples);
  return { value, text: `${value.toFixed(2)} ms` };
}

/** Milliseconds for one load, the median of many. */
async function loadTime(_database: Database, _length: number): Promise<number> {
  throw new Error('the store is not wired in yet');
}
