/**
 * A real PostgreSQL beside us, for people who have none: made, started, kept running and stopped by this process, and
 * gone when this process is gone.
 */
import { realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { findBinaries } from './binaries.ts';
import { clusterIn, openCluster, prepareDataDir, SUPERUSER } from './cluster.ts';
import { EmbeddedPostgresError, folderFault } from './errors.ts';
import { formerServerGone } from './former-server.ts';
import { chooseIdentity, giveTo } from './identity.ts';
import { openLog } from './log.ts';
import { keepRunning } from './server.ts';
import { settingArguments } from './settings.ts';
import { openSocketFolder, PORT } from './socket.ts';
import { supervise } from './supervisor.ts';

export type EmbeddedPostgres = {
  /** The superuser's, for node-postgres: `host` is the folder of a unix socket. The same after every restart. */
  readonly connection: {
    readonly host: string;
    readonly port: number;
    readonly user: string;
    readonly password: string;
  };
  /** True when this start created the cluster. */
  readonly created: boolean;
  /** Resolves once the server has stopped: fast shutdown, after 4 s the immediate one. May be called again. */
  stop(): Promise<void>;
};

export type EmbeddedPostgresOptions = {
  /** DATA_DIR. The caller holds its instance lock: a server found running in it is taken for a dead process's. */
  readonly dataDir: string;
  /** Progress and restarts, for a person. */
  readonly report: (line: string) => void;
  /** Settings of postgresql.conf that win over ours. */
  readonly settings?: Readonly<Record<string, string>>;
};

/**
 * Resolves when the database answers. From then on it is started again whenever it ends by itself, for ever, until
 * `stop`. When this process ends in any way, the database shuts itself down. Rejects with EmbeddedPostgresError, whose
 * message tells a person the cure, when it cannot run here; nothing is left running then.
 */
export const startEmbeddedPostgres = async (options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> => {
  try {
    return await start(options);
  } catch (error) {
    throw folderFault(error, options.dataDir);
  }
};

const start = async ({ dataDir: given, report, settings = {} }: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> => {
  await prepareDataDir(given);
  const dataDir = await realpath(given);
  const binaries = await findBinaries();
  const identity = await chooseIdentity(dataDir, binaries.postgres);
  const logFile = join(dataDir, 'postgres.log');
  const log = openLog(logFile);
  try {
    await giveTo(identity, logFile);
    const folder = clusterIn(dataDir);
    await formerServerGone(folder, report);
    const { password, created } = await openCluster({ dataDir, binaries, identity, log, report });
    const host = await openSocketFolder(dataDir, identity);
    const connection = { host, port: PORT, user: SUPERUSER, password };
    const launch = async () => {
      const notAServer = await formerServerGone(folder, report);
      return supervise(
        [
          ...identity.prefix,
          'env',
          `PG_GRANDPARENT_PID=${notAServer ?? 0}`,
          binaries.postgres,
          '-D',
          folder,
          '-p',
          String(PORT),
          ...settingArguments({ unix_socket_directories: `"${host.replaceAll('"', '""')}"`, ...settings }),
        ],
        log.output,
      );
    };
    const server = await keepRunning({ launch, answers: () => answers(connection), dataDir, log, report });
    const stop = async () => {
      await server.stop();
      await rm(host, { recursive: true, force: true });
      log.close();
    };
    let stopped: Promise<void> | undefined;
    return { connection, created, stop: () => (stopped ??= stop()) };
  } catch (error) {
    log.close();
    throw error;
  }
};

/** Whether the server lets the superuser in; a refused password is an error, everything else is not yet. */
const answers = async (connection: EmbeddedPostgres['connection']): Promise<boolean> => {
  const client = new pg.Client({ ...connection, database: 'postgres', connectionTimeoutMillis: 2_000 });
  client.on('error', () => undefined); // it ends while we look; the next look tells
  try {
    await client.connect();
    return true;
  } catch (error) {
    if (!(error instanceof pg.DatabaseError)) return false;
    if (error.code === '53300') return true; // too many clients: it answers them
    if (error.code !== '28P01') return false;
    const message =
      'the database does not know its password: bring postgres-password back from where the data came from';
    throw new EmbeddedPostgresError('wrong-password', message, error);
  } finally {
    await client.end().catch(() => undefined);
  }
};
