/**
 * Makes an inline read model anew from its streams, in a table beside the one that serves:
 *
 *   fill       every stream is folded into an empty copy, a page a transaction     nobody notices
 *   index      the copy's indexes, concurrently, and its statistics                nobody notices
 *   catch up   the streams that got events meanwhile, until few are left           nobody notices
 *   switch     those few, and the copy takes the table's name                      writers and readers wait a moment
 *
 * Killed anywhere, the old table serves on, and the next rebuild begins by dropping what was left. No transaction here
 * writes for long: every feed of the cluster would wait for it.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { type Database, type Session, statement } from '../sql/database.ts';
import { changedSince, type Moment, momentNow } from './changed-streams.ts';
import type { InlineReadModel } from './inline.ts';
import { claimRebuild, copyName } from './rebuild-state.ts';
import { type Opening, replay, replayStreams, streamRange } from './replay.ts';
import { switchToCopy } from './switch.ts';
import { table } from './table.ts';
import { createCopy, indexCopy, shapeOf } from './table-copy.ts';

export type RebuildOptions = {
  /** As the owner of the tables, without a statement timeout, in the service's schema. */
  readonly database: Pick<Database, 'openSession'>;
  readonly opening: Opening;
  readonly model: InlineReadModel;
  /** Told at every step, and after every page of it. */
  readonly report?: (progress: Progress) => void;
  /** Called at the durable steps by their names: tests kill the process there. */
  readonly failPoint?: (name: string) => void;
};
export type Progress = {
  readonly step: 'fill' | 'index' | 'catch up' | 'switch';
  readonly rows: number;
  readonly events: number;
  /** How many events there were at the beginning; 0 = nobody knows. */
  readonly total: number;
};
export type Rebuilt = {
  readonly rows: number;
  readonly events: number;
  /** How many ms writers may have waited. */
  readonly held: number;
};

const COUNT = statement('rebuild-count', 'select count(*) as count from event where stream > $1 and stream < $2');
/** So few changed streams are folded in some 20 ms. */
const FEW = 50;
const TOO_MANY = 500;
const CHUNK = 500;
const PASSES = 50;
const SWITCHES = 10;

/**
 * When it returns, the table is what its streams say, and reads and writes went on meanwhile. Throws RebuildRunning when
 * another process rebuilds it, and whatever stops a fold; then the table is as it was.
 */
export const rebuild = async (options: RebuildOptions): Promise<Rebuilt> => {
  const writer = await options.database.openSession();
  try {
    await claimRebuild(writer, options.model.name); // by the session that writes: who lost the claim cannot write either
    // Not even of a young table shall it read all events while others wait, nor compile for seconds what takes a moment:
    // the price that an old server puts on a plan that is switched off looks as if that were worth it.
    await writer.query('set enable_seqscan = off; set jit = off');
    const reader = await options.database.openSession();
    try {
      return await carryOut(options, reader, writer);
    } finally {
      await reader.close();
    }
  } finally {
    await writer.close();
  }
};

const carryOut = async (options: RebuildOptions, reader: Session, writer: Session): Promise<Rebuilt> => {
  const { opening, model, report = () => undefined, failPoint = () => undefined } = options;
  const { name, streamPrefix } = model;
  const copy = copyName(name);
  await writer.query(`drop table if exists ${copy}`);
  const shape = await shapeOf(writer, name);
  await createCopy(writer, name, copy, shape);
  const { upsert } = table(copy, model.table.columns);
  const write = (rows: readonly unknown[]) => writer.query(upsert, [JSON.stringify(rows)]);

  let moment = await momentNow(writer);
  const { rows: counted } = await reader.query<{ count: number }>(COUNT, streamRange(streamPrefix));
  const done = { rows: 0, events: 0, total: counted[0]?.count ?? 0 };

  const fill = async (): Promise<void> => {
    // What is lost with the server's memory is only the copy, until the switch is committed, and all before it.
    await writer.query('set synchronous_commit = off');
    let writing: Promise<unknown> = Promise.resolve();
    for await (const { rows, events } of replay(reader, opening, model)) {
      await writing;
      writing = write(rows);
      writing.catch(() => undefined); // told where it is awaited, unless the fold throws before
      done.rows += rows.length;
      done.events += events;
      failPoint('rebuild-fill');
      report({ step: 'fill', ...done });
    }
    await writing;
    await writer.query('set synchronous_commit = on');
  };

  /** Folds what changed since the last look; answers how many streams that were, and from when to look next. */
  const redo = async (since: Moment, most = Number.POSITIVE_INFINITY) => {
    const { streams, now } = await changedSince(writer, since, streamPrefix);
    for (let n = 0; n < streams.length && streams.length <= most; n += CHUNK) {
      await write(await replayStreams(writer, opening, model, streams.slice(n, n + CHUNK)));
    }
    return { count: streams.length, now };
  };
  const catchUp = async (): Promise<void> => {
    for (let pass = 1; ; pass += 1) {
      const { count, now } = await redo(moment);
      moment = now;
      report({ step: 'catch up', ...done });
      if (count <= FEW) return;
      if (pass === PASSES) throw new Error(`${name} changes faster than it can be rebuilt: try when less is written`);
    }
  };

  await fill();
  report({ step: 'index', ...done });
  await indexCopy(writer, copy, shape);
  for (let attempt = 1; attempt <= SWITCHES; attempt += 1) {
    await catchUp();
    report({ step: 'switch', ...done });
    const lastRedo = async () => (await redo(moment, TOO_MANY)).count <= TOO_MANY;
    const held = await switchToCopy({ session: writer, name, copy, shape, redo: lastRedo, failPoint });
    if (held !== undefined) return { rows: done.rows, events: done.events, held };
    await pause(attempt * 50);
  }
  throw new Error(`${name} could not be switched: ${await whoHolds(writer, name)}`);
};

const HOLDERS = statement(
  'rebuild-holders',
  `select coalesce(string_agg(pid::text, ', '), '') as pids from pg_locks
   where relation = to_regclass($1) and granted and pid <> pg_backend_pid()
     and database = (select oid from pg_database where datname = current_database())`,
);
const whoHolds = async (session: Session, name: string): Promise<string> => {
  const pids = (await session.query<{ pids: string }>(HOLDERS, [name])).rows[0]?.pids;
  return pids ? `held by transactions that do not end (PostgreSQL process ${pids})` : 'too much is written just now';
};
