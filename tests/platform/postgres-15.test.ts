/** The oldest server that we promise to run on, with the same suites as the newest. */
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import type { TestDatabase } from '../support/database.ts';
import { postgres15, startPostgres15 } from '../support/postgres-15.ts';
import { testBed } from './bed.ts';
import { migratePlatform } from './migrate-platform.ts';
import { commitsSuite } from './suites/commits.ts';
import { correlatedSuite } from './suites/correlated.ts';
import { feedSuite } from './suites/feed.ts';
import { publishedSuite } from './suites/published.ts';
import { rebuildSuite } from './suites/rebuild.ts';
import { versionsSuite } from './suites/versions.ts';

/** A cluster for this file alone. */
const startServer = async (bin: string): Promise<TestDatabase> => {
  const server = await startPostgres15(bin);
  const address = { ...server.address, database: 'notes' };
  await migratePlatform(address);
  const client = new pg.Client(address);
  await client.connect();
  return {
    address,
    sql: async (text, values) => (await client.query(text, values)).rows,
    drop: async () => {
      await client.end();
      await server.stop();
    },
  };
};

postgres15.describe('on PostgreSQL 15', (bin) => {
  const bed = testBed(() => startServer(bin));
  test('the server is PostgreSQL 15', async () => {
    const [{ version } = { version: '' }] = await bed.sql('select version()');
    expect(version).toMatch(/^PostgreSQL 15\./);
  });
  versionsSuite(bed);
  commitsSuite(bed);
  publishedSuite(bed);
  correlatedSuite(bed);
  feedSuite(bed);
  // On a server of its own: every stream there is has a row.
  describe('rebuilding', () => rebuildSuite(testBed(() => startServer(bin))));
});
