/** The database of this installation: the one that is named, the one that runs here already, or one started here. */
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

/** With DB_HOST nothing is started; else DATA_DIR belongs to this process until `stop`. Throws InstanceRunning. */
export const openDatabaseServer = async (config: Config, report: (line: string) => void): Promise<RunningDatabase> => {
  const { DB_HOST, DB_PORT, DB_NAME, DB_USER, DB_PASSWORD } = config;
  if (DB_HOST !== undefined) {
    const address = { host: DB_HOST, port: DB_PORT, database: DB_NAME, user: DB_USER, password: DB_PASSWORD };
    return { address, announce: async () => undefined, stop: async () => undefined };
  }
  const lock: InstanceLock = await acquireInstanceLock(config.DATA_DIR);
  try {
    const postgres = await startEmbeddedPostgres({ dataDir: config.DATA_DIR, report });
    await lock.update({ database: postgres.connection });
    return {
      address: { ...postgres.connection, database: DB_NAME },
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
