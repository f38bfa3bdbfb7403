/** How long `npm start` takes on the embedded database, the first time and again, and what its processes hold. */
import type { Options } from './options.ts';
import { ROOT } from './paths.ts';
import { memory, sum, tree, workingIn } from './proc.ts';
import { type Figure, median, type Row } from './report.ts';
import { Series } from './series.ts';
import { freePort, startService } from './service.ts';

interface Start {
  readonly seconds: number;
  readonly memory: ReadonlyMap<string, number>;
}

export async function startRows(folder: string, { rounds, progress }: Options): Promise<Row[]> {
  const starts = new Series<Start>();
  for (let round = 0; round <= rounds; round++) {
    progress(round === 0 ? 'first npm start' : 'warm npm start');
    await starts.add(() => npmStart(`${folder}/start`));
  }
  return [
    { what: 'first npm start → ready', ours: starts.cell(([first]) => inSeconds([first])) },
    { what: 'warm npm start → ready', ours: starts.cell(([, ...warm]) => inSeconds(warm)), aim: '≤ 2 s' },
    { what: 'memory (PSS) when ready', ours: starts.cell((all) => inMegabytes(all.at(-1))), aim: '≤ 250 MB' },
  ];
}

async function npmStart(dataFolder: string): Promise<Start> {
  const port = await freePort();
  const env = { DATA_DIR: dataFolder, HOST: '127.0.0.1', PORT: String(port) };
  await using service = await startService('npm-start', { command: 'npm', args: ['start'], env, cwd: ROOT }, port);
  const pids = new Set([...tree(service.pid), ...workingIn(dataFolder)]);
  return { seconds: service.readyAfter / 1000, memory: memory([...pids]) };
}

function inSeconds(starts: readonly (Start | undefined)[]): Figure {
  const value = median(starts.map((start) => start?.seconds ?? Number.NaN));
  return { value, text: `${value.toFixed(2)} s` };
}

function inMegabytes(start: Start | undefined): Figure {
  const parts = [...(start?.memory ?? [])].map(([name, bytes]) => [name, bytes / 1e6] as const);
  const value = sum(parts.map(([, megabytes]) => megabytes));
  const text = parts.map(([name, megabytes]) => `${name} ${megabytes.toFixed(0)}`).join(', ');
  return { value, text: `${value.toFixed(0)} MB (${text})`, detail: Object.fromEntries(parts) };
}
