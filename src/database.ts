/** The database of this installation: the one that is named, the one that runs here already, or one started here. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Config } from '#platform/config/config.ts';
import { acquireInstanceLock, type InstanceLock, readInstance } from '#platform/embedded/instance-lock.ts';
import { startEmbeddedPostgres } from '#platform/embedded/postgres.ts';
import type { DatabaseAddress } from '#platform/sql/connection.ts';

export type RunningDatabase = {
  readonly address: DatabaseAddress;
  /** Tells whoever looks into DATA_DIR where this process answers. */
  announce(url: string): Promise<void>;
  stop(): Promise<void>;
};

/** The database that DB_* name; undefined where none is named. The process of one service is that service everywhere. */
export const namedDatabase = (
  config: Config,
  process?: 'USER' | 'TASK' | 'NOTIFICATION',
): DatabaseAddress | undefined => {
  const { DB_HOST, DB_PORT, DB_NAME, DB_USER, DB_PASSWORD } = config;
  if (DB_HOST === undefined) return undefined;
  const user = (process && config[`${process}_DB_USER`]) ?? DB_USER;
  const password = (process && config[`${process}_DB_PASSWORD`]) ?? DB_PASSWORD;
  return { host: DB_HOST, port: DB_PORT, database: DB_NAME, user, password };
};

/** With DB_HOST nothing is started; else DATA_DIR belongs to this process until `stop`. Throws InstanceRunning. */
export const openDatabaseServer = async (config: Config, report: (line: string) => void): Promise<RunningDatabase> => {
  const address = namedDatabase(config);
  if (address !== undefined) {
    return { address, announce: async () => undefined, stop: async () => undefined };
  }
  const lock: InstanceLock = await acquireInstanceLock(config.DATA_DIR);
  try {
    const postgres = await startEmbeddedPostgres({ dataDir: config.DATA_DIR, report });
    await lock.update({ database: postgres.connection });
    return {
      address: { ...postgres.connection, database: config.DB_NAME },
      announce: (url) => lock.update({ url, database: postgres.connection }),
      stop: async () => {
        await postgres.stop();
        await lock.release();
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
};

/** A command that only looks makes no database: where none lies, the folder is probably the wrong one. */
export const requireDatabase = ({ DB_HOST, DATA_DIR }: Config): void => {
  if (DB_HOST !== undefined || existsSync(path.join(DATA_DIR, 'postgres'))) return;
  throw new Error(`there is nothing in ${DATA_DIR} yet: run \`npm start\` or \`taskwire migrate\`, or set DATA_DIR`);
};

/** For a command beside the server: joins the one that runs on DATA_DIR, else opens it for the command alone. */
export const joinDatabaseServer = async (config: Config, report: (line: string) => void): Promise<RunningDatabase> => {
  const database = config.DB_HOST === undefined ? (await readInstance(config.DATA_DIR))?.database : undefined;
  if (database === undefined) return openDatabaseServer(config, report);
  return {
    address: { ...database, database: config.DB_NAME },
    announce: async () => undefined,
    stop: async () => undefined,
  };
};
