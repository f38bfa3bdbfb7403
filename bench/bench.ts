/**
 * npm run bench -- [--quick] [--only create,read,list,complete,commit,streams,starts] [--rounds N] [--seconds N]
 * [--json FILE]: one table of ratios between us and what others would pick, measured in one run on one machine.
 */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { commitRows } from './commit.ts';
import { HTTP_ROWS, httpRows } from './http.ts';
import { describe } from './machine.ts';
import { type Row, ratio, table } from './report.ts';
import { startRows } from './starts.ts';
import { streamRows } from './streams.ts';
import { startSystemPostgres } from './system-postgres.ts';
import { CACHE } from './targets.ts';

const NOTES = [
  '/s: median of the rounds, 32 connections. p50, p99: over all rounds. µs: CPU a request, service + PostgreSQL.',
  'Ours commits event, read-model row and idempotency key. FastAPI: SQLAlchemy 2, asyncpg, uvicorn with uvloop, one',
  'worker, no events. Emmett: 0.42, Express 5, event and inline projection. Both: HS256 tokens, a pool of 20, no keys.',
  'All on one PostgreSQL, a database each.',
];

const { values: args } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    json: { type: 'string' },
  },
});
const names = [...HTTP_ROWS, 'commit', 'streams', 'starts'];
const wanted = args.only?.split(',') ?? names;
const unknown = wanted.filter((name) => !names.includes(name));
if (unknown.length > 0) throw new Error(`--only knows ${names.join(', ')}; not ${unknown.join(', ')}`);

const rounds = Number(args.rounds ?? (args.quick ? 1 : 3));
const seconds = Number(args.seconds ?? (args.quick ? 2 : 5));
const only = (name: string) => wanted.includes(name);
const progress = (text: string) => void process.stderr.write(`… ${text}\n`);

process.once('SIGINT', () => process.exit(130));
mkdirSync(CACHE, { recursive: true });
const folder = mkdtempSync(`${CACHE}/run-`);
chmodSync(folder, 0o755);
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));

await using server = await startSystemPostgres(`${folder}/postgres`);
const machine = await describe(server);
const rows: Row[] = [
  ...(await httpRows(server, folder, { only, rounds, seconds, progress })),
  ...(only('commit') ? await commitRows(server, folder, { rounds, seconds, progress }) : []),
  ...(only('streams') ? await streamRows(server, progress) : []),
  ...(only('starts') ? await startRows(folder, rounds, progress) : []),
];

console.log([table(rows), '', machine.hardware, machine.postgres, ...NOTES].join('\n'));
if (args.json !== undefined) {
  const report = { machine, rounds, seconds, rows: rows.map((row) => ({ ...row, ratio: ratio(row) })) };
  writeFileSync(args.json, `${JSON.stringify(report, null, 2)}\n`);
}
