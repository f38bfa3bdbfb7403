/**
 * What is often written instead: a task service that answers too early, or stores in two transactions and forgets
 * idempotency keys. The ledger must find its losses and duplicates; where it does not, it finds nothing in ours either.
 *
 *   answers-first   the answer goes out, and row and event are stored behind it
 *   forgets-keys    row, then event, then the answer; a repeated request is carried out once more
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import pg from 'pg';

const { DATABASE, HABIT, FAIL_POINT } = process.env;
let left = Number(FAIL_POINT ?? 'Infinity');
const die = () => process.kill(process.pid, 'SIGKILL');

const pool = new pg.Pool({ ...JSON.parse(DATABASE ?? '{}'), max: 8 });
await pool.query(`
  create table if not exists naive_task (id uuid primary key, version int, title text, status text, made serial);
  create table if not exists naive_event (task_id uuid, version int, request_id text)`);

type Task = { id: string; version: number; title: string; status: string };
const COLUMNS = 'id, version, title, status';
const find = async (id: string | undefined): Promise<Task | undefined> =>
  (await pool.query<Task>(`select ${COLUMNS} from naive_task where id = $1`, [id])).rows[0];
const storeRow = ({ id, version, title, status }: Task) =>
  pool.query(
    `insert into naive_task (${COLUMNS}) values ($1, $2, $3, $4)
     on conflict (id) do update set version = excluded.version, title = excluded.title, status = excluded.status`,
    [id, version, title, status],
  );
const storeEvent = ({ id, version }: Task, requestId: unknown) =>
  pool.query('insert into naive_event values ($1, $2, $3)', [id, version, requestId]);

const command = async (request: IncomingMessage, response: ServerResponse, id?: string, action?: string) => {
  const text = (await request.toArray()).join('');
  const known = await find(id);
  const task: Task = {
    ...(known ?? { id: randomUUID(), version: 0, title: '', status: 'open' }),
    ...(text && JSON.parse(text)),
    ...(action && { status: action === 'complete' ? 'completed' : 'open' }),
  };
  task.version += 1;
  const { 'x-request-id': requestId, 'idempotency-key': key } = request.headers;
  if (key !== undefined) left -= 1;
  const dies = key !== undefined && left === 0;
  if (HABIT === 'answers-first') {
    await new Promise<void>((resolve) => response.end(JSON.stringify(task), resolve));
    if (dies) die();
    await storeRow(task);
    await storeEvent(task, requestId);
  } else {
    await storeRow(task);
    await storeEvent(task, requestId);
    if (dies) die();
    response.end(JSON.stringify(task));
  }
};

const query = async (response: ServerResponse, id?: string) => {
  const { rows } = id
    ? await pool.query('select version from naive_event where task_id = $1 order by version', [id])
    : await pool.query(`select ${COLUMNS} from naive_task order by made`);
  response.end(JSON.stringify({ items: rows, nextCursor: null }));
};

const server = createServer((request, response) => {
  const [, id, action] = /^\/api\/v1\/tasks(?:\/([^/?]+))?(?:\/([^/?]+))?/.exec(request.url ?? '') ?? [];
  response.setHeader('content-type', 'application/json');
  void (request.method === 'GET' ? query(response, id) : command(request, response, id, action));
});
server.listen(0, '127.0.0.1', () => {
  console.log(`ready at http://127.0.0.1:${(server.address() as AddressInfo).port}, and naive`);
});
