/** One file's database with the notes' table in it, and the services that were opened on it. */
import { afterAll, afterEach, beforeAll } from 'vitest';
import type { ServiceKit } from '../../src/platform/lifecycle/service-kit.ts';
import type { DatabaseAddress } from '../../src/platform/sql/connection.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { NOTE_TABLE, openNotes, SCHEMA } from './notes.ts';

export type Bed = {
  readonly address: () => DatabaseAddress;
  /** As the superuser, who owns everything; the search path is the service's schema. */
  readonly sql: TestDatabase['sql'];
  /** Another process, but for the process: executor, queue, keys and connections of its own. Closed after the test. */
  readonly open: (address?: DatabaseAddress) => ServiceKit;
  /** The versions of a stream, as they lie. */
  readonly versions: (stream: string) => Promise<readonly number[]>;
};

export const testBed = (
  create: () => Promise<TestDatabase> = createTestDatabase,
  openKit: (address: DatabaseAddress) => ServiceKit = openNotes,
): Bed => {
  let database: TestDatabase;
  const opened: ServiceKit[] = [];
  beforeAll(async () => {
    database = await create();
    await database.sql(`set search_path = ${SCHEMA}`);
    await database.sql(NOTE_TABLE);
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((kit) => kit.close()));
  });
  afterAll(() => database.drop());
  const sql: TestDatabase['sql'] = (text, values) => database.sql(text, values);
  return {
    address: () => database.address,
    sql,
    open: (address = database.address) => {
      const kit = openKit(address);
      opened.push(kit);
      return kit;
    },
    versions: async (stream) =>
      (await sql<{ version: number }>('select version from event where stream = $1 order by version', [stream])).map(
        ({ version }) => version,
      ),
  };
};

/** 1, 2, … n */
export const upTo = (n: number): readonly number[] => Array.from({ length: n }, (_, index) => index + 1);
