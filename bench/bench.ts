/**
 * npm run bench -- [--quick] [--full] [--only create,read,list,complete,commit,streams,rebuild,bus,latency,kafka,gateway,
 * copies,users,cache,starts,growth] [--rounds N] [--seconds N] [--events N] [--markdown] [--json FILE]: one table of ratios
 * between us and what others would pick, measured in one run on one machine.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { busRows } from './bus.ts';
import { cacheRows } from './cache.ts';
import { commitRows } from './commit.ts';
import { copiesRows } from './copies.ts';
import { gatewayRows } from './gateway.ts';
import { growthRows } from './growth.ts';
import { httpRows } from './http.ts';
import { kafkaRows } from './kafka.ts';
import { latencyRows } from './latency.ts';
import { describe } from './machine.ts';
import { notesOn } from './notes.ts';
import { type RowName, readOptions } from './options.ts';
import { CACHE } from './paths.ts';
import { startServer } from './postgres.ts';
import { rebuildRow } from './rebuild.ts';
import { markdown, notRun, type Row, ratio, table } from './report.ts';
import { startRows } from './starts.ts';
import { streamRows } from './streams.ts';
import { userRows } from './users.ts';

const options = readOptions();
process.once('SIGINT', () => process.exit(130));
mkdirSync(CACHE, { recursive: true });
const folder = mkdtempSync(`${CACHE}/run-`);
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
await using server = await startServer(`${folder}/postgres`);
const machine = await describe(server);
const rows: Row[] = [];

/** Behind each that was measured, so that a run that is broken off was not for nothing. */
const save = (): void => {
  if (options.json === undefined) return;
  const { rounds, seconds } = options;
  const report = { machine, rounds, seconds, rows: rows.map((row) => ({ ...row, ratio: ratio(row) })) };
  writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
};

/** What fails is told, and what comes behind it is measured all the same. */
const add = async (name: RowName, measure: () => Promise<readonly Row[]>): Promise<void> => {
  if (!options.wanted(name)) return;
  try {
    rows.push(...(await measure()));
  } catch (error) {
    console.error(error);
    process.exitCode = 1;
    rows.push({ what: name, ours: notRun(error) });
  }
  save();
};

rows.push(...(await httpRows(server, folder, options)));
save();
await add('commit', () => commitRows(server, folder, options));
await add('streams', () => streamRows(server, options));
await add('rebuild', async () => [await rebuildRow(server, options)]);
await add('bus', () => busRows(server, options));
await add('latency', () => latencyRows(server, folder, options));
await add('kafka', () => kafkaRows(server, folder, options));
await add('gateway', () => gatewayRows(server, folder, options));
await add('copies', () => copiesRows(server, folder, options));
await add('users', () => userRows(server, options));
await add('cache', () => cacheRows(server, folder, options));
await add('starts', () => startRows(folder, options));
await add('growth', () => growthRows(server, options));

const shown = options.markdown ? markdown(rows) : table(rows);
console.log([shown, '', machine.hardware, machine.postgres, ...notesOn(options.wanted)].join('\n'));
