/**
 * npm run bench -- [--quick] [--only create,read,list,complete,commit,streams,starts] [--rounds N] [--seconds N]
 * [--json FILE]: one table of ratios between us and what others would pick, measured in one run on one machine.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { commitRows } from './commit.ts';
import { httpRows } from './http.ts';
import { describe } from './machine.ts';
import { readOptions } from './options.ts';
import { CACHE } from './paths.ts';
import { startServer } from './postgres.ts';
import { ratio, table } from './report.ts';
import { startRows } from './starts.ts';
import { streamRows } from './streams.ts';

const NOTES = [
  '/s: median of the rounds, at 32 connections. p50 and p99: over all rounds. µs: CPU a request, service + PostgreSQL.',
  'Ours commits event, read-model row and idempotency key, and checks ES256 tokens. FastAPI with SQLAlchemy 2, asyncpg',
  'and uvicorn (uvloop, one worker) stores a row and no events. Emmett 0.42 with Express 5 stores an event and a row of',
  'its inline projection. Neither takes keys; both check HS256 tokens, with a pool of 32 connections.',
  'All use the same PostgreSQL, a database each.',
];

const options = readOptions();
process.once('SIGINT', () => process.exit(130));
mkdirSync(CACHE, { recursive: true });
const folder = mkdtempSync(`${CACHE}/run-`);
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
await using server = await startServer(`${folder}/postgres`);
const machine = await describe(server);
const rows = [
  ...(await httpRows(server, folder, options)),
  ...(options.wanted('commit') ? await commitRows(server, folder, options) : []),
  ...(options.wanted('streams') ? await streamRows(server, options) : []),
  ...(options.wanted('starts') ? await startRows(folder, options) : []),
];

console.log([table(rows), '', machine.hardware, machine.postgres, ...NOTES].join('\n'));
if (options.json !== undefined) {
  const { rounds, seconds } = options;
  const report = { machine, rounds, seconds, rows: rows.map((row) => ({ ...row, ratio: ratio(row) })) };
  writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
}
