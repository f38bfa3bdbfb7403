/** What every service stands on: its database, event store, keys, and the way its commands are carried out. */
import type { CommandKit } from '../commit/command-handler.ts';
import { createExecutor } from '../commit/executor.ts';
import { createStreamQueue } from '../commit/stream-queue.ts';
import { compileCatalog, type EventRegistry } from '../event-store/catalog.ts';
import { openEventStore } from '../event-store/store.ts';
import type { WriteKit } from '../http/commands.ts';
import type { HealthCheck } from '../http/health.ts';
import { idempotencyRecords } from '../idempotency/records.ts';
import { openKeyRing } from '../keys/key-ring.ts';
import type { DatabaseAddress } from '../sql/connection.ts';
import { type Database, openDatabase, statement } from '../sql/database.ts';

export type ServiceKit = {
  readonly database: Database;
  readonly commands: CommandKit;
  readonly write: WriteKit;
  readonly health: HealthCheck;
  close(): Promise<void>;
};
export type ServiceKitOptions = {
  readonly name: string;
  readonly address: DatabaseAddress;
  readonly keysAddress: DatabaseAddress;
  /** Schema and runtime role, by the same name. */
  readonly schema: string;
  readonly registry: EventRegistry;
  readonly masterKey: string;
  readonly failPoint?: (name: string) => void;
};

const STATEMENT_TIMEOUT = 2_000;
const READ_CONNECTIONS = 3;
const FORGET_EVERY = 10 * 60_000;
const KEYS_PING = statement('ping-keys', 'select 1 from subject_key limit 1');
const PING = statement('ping', 'select 1 from event limit 1');

/** Connects to nothing yet: each part connects when it is first asked, and again whenever it must. */
export const openServiceKit = (options: ServiceKitOptions): ServiceKit => {
  const { name, address, keysAddress, schema, registry, masterKey, failPoint } = options;
  const common = { statementTimeout: STATEMENT_TIMEOUT, applicationName: `taskwire ${name}` };
  const database = openDatabase({ ...common, address, schema, role: schema, connections: READ_CONNECTIONS });
  const keysDatabase = openDatabase({ ...common, address: keysAddress, schema: 'keys', role: 'keys', connections: 1 });
  const catalog = compileCatalog(registry);
  const keys = openKeyRing(keysDatabase, masterKey);
  const executor = createExecutor(database, failPoint);
  const commands: CommandKit = {
    store: openEventStore(database, catalog, keys),
    catalog,
    keys,
    executor,
    queue: createStreamQueue(),
  };
  const records = idempotencyRecords(database);
  const forgetting = setInterval(() => {
    records.forgetOld().catch(() => undefined); // the database is away: the next round finds the same records
  }, FORGET_EVERY).unref();
  return {
    database,
    commands,
    write: { commands, records, underWay: new Set() },
    health: async () => {
      await Promise.all([database.read(PING, []), keysDatabase.read(KEYS_PING, [])]);
      return { status: 'ok' };
    },
    close: async () => {
      clearInterval(forgetting);
      await executor.close();
      await Promise.all([database.close(), keysDatabase.close()]);
    },
  };
};
