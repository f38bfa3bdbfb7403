/** One PostgreSQL for the whole run, with a migrated template to clone: the embedded one, so that Node alone suffices. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestProject } from 'vitest/node';
import { migrationTargets } from '../../src/installation.ts';
import { parseConfig } from '../../src/platform/config/config.ts';
import { startEmbeddedPostgres } from '../../src/platform/embedded/postgres.ts';
import { migrate } from '../../src/platform/migrations/migrate.ts';
import { TEMPLATE } from './database.ts';

export default async (project: TestProject): Promise<() => Promise<void>> => {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'taskwire-tests-'));
  // What is tested here is not durability (the crash tests have servers of their own), so nobody waits for the disk.
  const settings = { max_connections: '200', fsync: 'off' };
  const server = await startEmbeddedPostgres({ dataDir, report: () => undefined, settings });
  for (const target of migrationTargets(parseConfig({}), { ...server.connection, database: TEMPLATE }))
    await migrate(target);
  project.provide('server', server.connection);
  return async () => {
    await server.stop();
    await rm(dataDir, { recursive: true, force: true });
  };
};
