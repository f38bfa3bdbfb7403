/**
 * Brings a service's schema up to date: numbered SQL files, each once, in the order of their folders (the platform's before
 * the service's) and names. Two processes may start at once: one migrates,
 * the other waits for it and then finds nothing to do.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { connect, type DatabaseAddress, EVENT_READER } from '../sql/connection.ts';
import { type Session, sessionOn, statement } from '../sql/database.ts';
import { StatementFault } from '../sql/errors.ts';
import { apply } from './apply.ts';
import type { MigrationFile } from './hazards.ts';

export type MigrationTarget = {
  /** The login here is the owner, who makes and changes tables. */
  readonly address: DatabaseAddress;
  /** Also the name of the runtime role: one service, one schema, one role. */
  readonly schema: string;
  readonly folders: readonly string[];
};
export type MigrationState = { readonly schema: string; readonly name: string; readonly appliedAt: string | null };

/** Applies what is missing; answers the names of what it applied. Throws when an applied file was changed since. */
export const migrate = async (target: MigrationTarget): Promise<readonly string[]> => {
  await ensureDatabase(target.address);
  return withSession(target, async (session) => {
    await takeTurn(session);
    await ensureSchema(session, target.schema);
    const applied: string[] = [];
    for (const file of await pending(session, target)) {
      try {
        await apply(session, file);
      } catch (error) {
        throw new Error(`migration ${file.name} of ${target.schema} failed: ${messageOf(error)}`, { cause: error });
      }
      applied.push(file.name);
    }
    await grant(session, target.schema);
    return applied;
  });
};

/** Every migration known here, and when it was applied; changes nothing. */
export const migrationStatus = async (target: MigrationTarget): Promise<readonly MigrationState[]> => {
  const files = await filesOf(target);
  const applied = await appliedSoFar(target);
  return files.map(({ name }) => ({ schema: target.schema, name, appliedAt: applied.get(name)?.appliedAt ?? null }));
};

const appliedSoFar = async (target: MigrationTarget): ReturnType<typeof appliedOf> => {
  try {
    return await withSession(target, (session) => appliedOf(session, target.schema));
  } catch (error) {
    if (hasState(error, NO_SUCH_DATABASE)) return new Map(); // the first migration makes it
    throw error;
  }
};

/** Asks again instead of waiting in a statement: `create index concurrently` would wait for that one, which waits for it. */
const takeTurn = async (session: Session): Promise<void> => {
  for (;;) {
    const { rows } = await session.query<{ got: boolean }>(TURN);
    if (rows[0]?.got) return;
    await pause(100);
  }
};
const TURN = statement(
  'migration-turn',
  "select pg_try_advisory_lock(hashtextextended('taskwire migrations', 7)) as got",
);

type File = MigrationFile & { readonly checksum: string };

const pending = async (session: Session, target: MigrationTarget): Promise<readonly File[]> => {
  const applied = await appliedOf(session, target.schema);
  const files = await filesOf(target);
  const changed = files.filter(({ name, checksum }) => applied.has(name) && applied.get(name)?.checksum !== checksum);
  if (changed.length > 0) {
    const names = changed.map(({ name }) => name).join(', ');
    throw new Error(`applied migrations were changed since (${target.schema}): ${names}; write a new one instead`);
  }
  return files.filter(({ name }) => !applied.has(name));
};

/** All that are known here, in the order in which they are applied. Throws where a name has no number. */
export const filesOf = async ({ folders }: Pick<MigrationTarget, 'folders'>): Promise<readonly File[]> => {
  const files: File[] = [];
  for (const folder of folders) {
    const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort();
    for (const name of names) {
      if (!/^\d{3}_\w+\.sql$/.test(name)) throw new Error(`${folder}/${name} is not called 001_like_this.sql`);
      const sql = await readFile(path.join(folder, name), 'utf8');
      // <duty>/001_name: the folder above `migrations` says whose it is
      const owner = path.basename(path.dirname(folder));
      files.push({
        name: `${owner}/${name.slice(0, -4)}`,
        sql,
        checksum: createHash('sha256').update(sql.replaceAll(PERMISSION, '')).digest('hex'),
      });
    }
  }
  if (files.length === 0) throw new Error(`no migrations in ${folders.join(', ')}`);
  return files;
};

/** That somebody allows what a file does changes nothing of what was applied. */
const PERMISSION = /^-- allow [a-z-]+: .*\n/gm;

const appliedOf = async (
  session: Session,
  schema: string,
): Promise<ReadonlyMap<string, { checksum: string; appliedAt: string }>> => {
  const { rows: exists } = await session.query<{ found: boolean }>(
    statement('migration-table', "select to_regclass($1 || '.schema_migration') is not null as found"),
    [schema],
  );
  if (!exists[0]?.found) return new Map();
  const { rows } = await session.query<{ name: string; checksum: string; appliedAt: string }>(
    'select name, checksum, applied_at as "appliedAt" from schema_migration',
  );
  return new Map(rows.map((row) => [row.name, row]));
};

/** Schema and role by the same name; the owner may act as the role, whose rights `grant` sets each time. */
const ensureSchema = async (session: Session, schema: string): Promise<void> => {
  for (const role of [schema, EVENT_READER]) {
    await session.query(`do $do$ begin
      if not exists (select from pg_roles where rolname = '${role}') then
        begin
          create role ${role} nologin;
        exception when duplicate_object or unique_violation then null; -- another database of this server had it made
        end;
      end if;
      -- From 16 on, whoever makes a role may give it away, and not yet act as it.
      if not pg_has_role(current_user, '${role}', case when current_setting('server_version_num')::integer < 160000
        then 'member' else 'set' end) then grant ${role} to current_user; end if;
    end $do$`);
  }
  await session.query(`create schema if not exists ${schema}`);
  await session.query(`create table if not exists schema_migration (
    name text collate "C" primary key, checksum text not null, applied_at timestamptz not null default clock_timestamp())`);
};

/**
 * The runtime role reads and writes rows, but may only add events; whoever reads events may call what is published, and
 * nobody else anything. One query, and so one transaction: at no moment does a role have more.
 */
const grant = async (session: Session, schema: string): Promise<void> => {
  await session.query(`
    revoke all on all functions in schema ${schema} from public;
    grant usage on schema ${schema} to ${schema};
    grant execute on all functions in schema ${schema} to ${schema};
    grant select, insert, update, delete on all tables in schema ${schema} to ${schema};
    revoke insert, update, delete on schema_migration from ${schema};
    do $do$ declare what regprocedure; begin
      if to_regclass('${schema}.event') is not null then
        revoke all on event, era from ${schema};
        grant select, insert on event to ${schema};
        grant select on era to ${schema};
        grant usage on schema ${schema} to ${EVENT_READER};
        for what in select oid from pg_proc where pronamespace = '${schema}'::regnamespace and proname ~ '^published' loop
          execute format('grant execute on function %s to ${EVENT_READER}', what);
        end loop;
      end if;
      if to_regclass('${schema}.subject_key') is not null then
        -- A key that was forgotten would be made anew, and what it sealed would be lost unseen.
        revoke update, delete on subject_key from ${schema};
      end if;
    end $do$`);
};

/** Makes the database where it is missing and the login may; a server that was just started for us has none. */
const ensureDatabase = async (address: DatabaseAddress): Promise<void> => {
  try {
    await withSession({ address: { ...address, database: 'postgres' }, schema: 'public' }, async (session) => {
      const { rows } = await session.query(DATABASE, [address.database]);
      if (rows.length === 0) await session.query(`create database "${address.database.replaceAll('"', '""')}"`);
    });
  } catch (error) {
    // No right to look or to make one, or another process made it just now: the migration itself will tell.
    if (!(error instanceof StatementFault || isRefusal(error))) throw error;
  }
};
const DATABASE = statement('database-exists', 'select from pg_database where datname = $1');
const NO_SUCH_DATABASE = '3D000';
const isRefusal = (error: unknown): boolean => hasState(error, '42501', '42P04', '28000', '28P01', NO_SUCH_DATABASE);
const hasState = (error: unknown, ...sqlStates: readonly string[]): boolean =>
  error instanceof Error && 'code' in error && sqlStates.includes(String(error.code));

/** As the owner, looking from the target's schema: expressions name what is outside of where they are looked at from. */
export const withSession = async <T>(
  { address, schema }: Pick<MigrationTarget, 'address' | 'schema'>,
  run: (session: Session) => Promise<T>,
): Promise<T> => {
  const session = sessionOn(
    await connect({ address, schema, statementTimeout: 0, applicationName: 'taskwire migrate' }),
  );
  try {
    return await run(session);
  } finally {
    await session.close(); // ends the advisory lock too
  }
};

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
