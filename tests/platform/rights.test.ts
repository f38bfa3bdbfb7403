import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { testBed } from './bed.ts';
import { appendTo, commitOf, freshStream, SCHEMA } from './notes.ts';

const bed = testBed();
let runtime: pg.Client;
const stream = freshStream();

beforeAll(async () => {
  runtime = new pg.Client({ ...bed.address(), options: `-c role=${SCHEMA} -c search_path=${SCHEMA}` });
  await runtime.connect();
  const kit = bed.open();
  await kit.commands.executor.commit(commitOf(appendTo(stream, 0, 2)));
});
afterAll(() => runtime.end());

/** The SQLSTATE with which a statement is refused; undefined when it is not. */
const refusal = async (asked: Promise<unknown>): Promise<string | undefined> =>
  asked.then(
    () => undefined,
    (error: pg.DatabaseError) => error.code ?? error.message,
  );
const PERMISSION_DENIED = '42501';
const APPEND_ONLY = 'TW002';

describe('events are never changed', () => {
  const changes = [
    `update event set version = 9 where stream = '${stream}'`,
    `update event set data = data where stream = '${stream}'`,
    `delete from event where stream = '${stream}'`,
    'truncate event',
    'truncate event cascade',
    `insert into event select * from event on conflict (id) do update set data = '{}'`,
  ];
  test.each(changes)('the role that services run as may not: %s', async (change) => {
    expect(await refusal(runtime.query(change))).toMatch(/^(42501|428C9)$/);
  });
  test.each(changes.slice(0, 5))('the trigger refuses their owner too: %s', async (change) => {
    expect(await refusal(bed.sql(change))).toBe(APPEND_ONLY);
  });
  test('all of it is still there', async () => {
    expect(await bed.versions(stream)).toEqual([1, 2]);
  });
  test.each([
    'alter table event disable trigger event_unchanged',
    'alter table event disable trigger all',
    'drop trigger event_unchanged on event',
    'set session_replication_role = replica',
    'alter table event rename to gone',
    'drop table event',
    'create or replace function refuse_change() returns trigger language plpgsql as $$ begin return new; end $$',
    `insert into era (number, system_identifier, timeline) values (99, 1, 'x')`,
    'delete from era',
    `update schema_migration set checksum = 'x'`,
  ])('the role that services run as cannot get around it: %s', async (attempt) => {
    expect(await refusal(runtime.query(attempt))).toBe(PERMISSION_DENIED);
  });
});

describe('a service sees nothing of another', () => {
  test.each([
    'select * from user_service.event',
    'select * from user_service.credential',
    `insert into user_service.reservation values ('email', 'a', 'b')`,
    'select user_service.current_era()',
    `select user_service.append(1, '[]', '[]', '[]', '[]', '[]')`,
    'select * from keys.subject_key',
    `select keys.key_for('ada', 'x')`,
  ])('%s', async (attempt) => {
    expect(await refusal(runtime.query(attempt))).toBe(PERMISSION_DENIED);
  });

  test('what is its own it may do', async () => {
    expect(await refusal(runtime.query('select current_era(), (select count(*) from event)'))).toBeUndefined();
    expect(await refusal(runtime.query(`insert into reservation values ('name', 'a', 'b')`))).toBeUndefined();
  });

  test('nor does anybody who merely logs in, were they let into the schema', async () => {
    const anybody = `anybody_${randomUUID().replaceAll('-', '')}`;
    await bed.sql(`create role ${anybody}; grant usage on schema ${SCHEMA} to ${anybody}`);
    try {
      const attempts = [
        'select * from event',
        'select current_era()',
        `select append(1, '[]', '[]', '[]', '[]', '[]')`,
      ];
      for (const attempt of attempts) {
        await bed.sql(`set role ${anybody}`);
        expect(await refusal(bed.sql(attempt)), attempt).toBe(PERMISSION_DENIED);
        await bed.sql('reset role');
      }
    } finally {
      await bed.sql(`reset role; drop owned by ${anybody}; drop role ${anybody}`);
    }
  });
});

describe('a connection of ours is what we count on, whatever the server’s defaults are', () => {
  test('read committed, UTC, with timeouts, in its schema', async () => {
    const name = bed.address().database;
    await bed.sql(`alter database ${name} set default_transaction_isolation = 'serializable';
      alter database ${name} set timezone = 'Asia/Tokyo'; alter database ${name} set datestyle = 'German'`);
    const settings = ['transaction_isolation', 'timezone', 'datestyle', 'search_path', 'role', 'statement_timeout'];
    const session = await bed.open().database.openSession();
    const shown = await Promise.all(
      settings.map(async (setting) => Object.values((await session.query<object>(`show ${setting}`)).rows[0] ?? {})[0]),
    );
    await session.close();
    expect(shown).toEqual(['read committed', 'UTC', 'ISO, MDY', SCHEMA, SCHEMA, '2s']);
  });
});
