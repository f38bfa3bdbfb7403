/** How long `npm start` takes on the embedded database, the first time and again, and what its processes hold. */
import { existsSync } from 'node:fs';
import { freePort, memory, start, tree, workingIn } from './processes.ts';
import { type Cell, type Figure, median, notRun, type Row } from './report.ts';
import { CACHE, ROOT } from './targets.ts';

interface Start {
  readonly seconds: number;
  readonly memory: ReadonlyMap<string, number>;
}

export async function startRows(folder: string, rounds: number, progress: (text: string) => void): Promise<Row[]> {
  progress('npm start');
  const starts: Start[] = [];
  let failure: Cell | undefined;
  try {
    if (!existsSync(`${ROOT}src/cli.ts`)) throw new Error('there is no src/cli.ts yet');
    for (let round = 0; round <= rounds; round++) starts.push(await npmStart(`${folder}/start`));
  } catch (error) {
    failure = notRun(error);
  }
  const [first, ...warm] = starts;
  const warmSeconds = warm.map(({ seconds }) => seconds);
  return [
    { what: 'first npm start → ready', ours: failure ?? inSeconds(first?.seconds ?? Number.NaN) },
    { what: 'warm npm start → ready', ours: failure ?? inSeconds(median(warmSeconds)), aim: '≤ 2 s' },
    { what: 'memory (PSS) after a start', ours: failure ?? inMegabytes(starts.at(-1)), aim: '≤ 250 MB' },
  ];
}

async function npmStart(dataFolder: string): Promise<Start> {
  const port = await freePort();
  const env = { DATA_DIR: dataFolder, HOST: '127.0.0.1', PORT: String(port) };
  const command = { name: 'npm-start', command: 'npm', args: ['start'], env, cwd: ROOT, logs: CACHE };
  await using running = await start(command, port);
  const pids = new Set([...tree(running.pid), ...workingIn(dataFolder)]);
  return { seconds: running.readyAfter / 1000, memory: memory([...pids]) };
}

const inSeconds = (value: number): Figure => ({ value, text: `${value.toFixed(2)} s` });

function inMegabytes(start: Start | undefined): Figure {
  const parts = [...(start?.memory ?? [])].map(([name, bytes]) => [name, bytes / 1e6] as const);
  const value = parts.reduce((sum, [, megabytes]) => sum + megabytes, 0);
  const text = parts.map(([name, megabytes]) => `${name} ${megabytes.toFixed(0)}`).join(', ');
  return { value, text: `${value.toFixed(0)} MB (${text})`, detail: Object.fromEntries(parts) };
}
