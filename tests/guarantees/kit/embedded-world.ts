/** The product as one process on its embedded database, started from the command line on data folders of its own. */

import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { readInstance } from '../../../src/platform/embedded/instance-lock.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../../src/platform/embedded/postgres.ts';
import type { DatabaseAddress } from '../../../src/platform/sql/connection.ts';
import { postmasterOf } from '../../e2e/support/processes.ts';
import { answering, productBed, type Run, type Server } from '../../e2e/support/product.ts';
import { sqlOn } from '../../support/sql.ts';
import { until } from '../../support/until.ts';
import type { EmbeddedWorld, Installation } from './world.ts';

export const embeddedWorld = (): EmbeddedWorld => {
  const bed = productBed();
  let spare: { readonly server: EmbeddedPostgres; readonly folder: string } | undefined;

  const spareServer = async (): Promise<EmbeddedPostgres> => {
    if (spare) return spare.server;
    const folder = await mkdtemp(join(tmpdir(), 'taskwire-spare-'));
    spare = { folder, server: await startEmbeddedPostgres({ dataDir: folder, report: () => undefined }) };
    return spare.server;
  };
  return {
    topology: 'embedded',
    install: async (env = {}) => installationIn(bed, env.DATA_DIR ?? (await bed.folder()), env),
    program: bed.program,
    emptyDatabase: async () => {
      const { connection } = await spareServer();
      const database = `empty_${randomUUID().replaceAll('-', '')}`;
      await sqlOn(async () => ({ ...connection, database: 'postgres' }))(`create database ${database}`);
      const address = { ...connection, database };
      return { address, sql: sqlOn(async () => address) };
    },
    clear: bed.clear,
    close: async () => {
      await bed.clear();
      await spare?.server.stop();
      if (spare) await rm(spare.folder, { recursive: true, force: true });
    },
  };
};

/** One that comes by its fail point as it starts has not failed to start: it is dead already, and nobody answers there. */
const started = async (run: Run, failPoint: string | undefined): Promise<Server> => {
  try {
    return await answering(run);
  } catch (error) {
    if (failPoint === undefined || run.running() || (await run.exit).signal !== 'SIGKILL') throw error;
    return { ...run, url: 'http://127.0.0.1:9' };
  }
};

const installationIn = (
  bed: ReturnType<typeof productBed>,
  dataDir: string,
  common: Readonly<Record<string, string>>,
): Installation => {
  const address = async (): Promise<DatabaseAddress> => {
    const { database } = (await readInstance(dataDir)) ?? {};
    if (database === undefined) throw new Error(`nothing runs in ${dataDir}`);
    return { ...database, database: 'taskwire' };
  };
  const env = { DATA_DIR: dataDir, ...common };
  return {
    start: ({ failPoint, env: more = {} } = {}) =>
      started(
        bed.taskwire(['start'], { env: { ...env, ...(failPoint && { FAIL_POINT: failPoint }), ...more } }),
        failPoint,
      ),
    join: async ({ failPoint, env: more = {} } = {}) => {
      const { host, port, user, password } = await address();
      const settings = { DB_HOST: host, DB_PORT: String(port), DB_USER: user, DB_PASSWORD: String(password) };
      return bed.start({ env: { ...env, ...settings, ...(failPoint && { FAIL_POINT: failPoint }), ...more } });
    },
    taskwire: (args, options) => bed.taskwire(args, { ...options, env: { ...env, ...options?.env } }),
    sql: sqlOn(address),
    address,
    postmaster: () => until(`a database in ${dirname(dataDir)}`, () => postmasterOf(dataDir)),
  };
};
