/** What every service stands on: its database, event store, keys, and the way its commands are carried out. */

import { type Cache, NO_CACHE } from '../cache/cache.ts';
import type { Limiter } from '../cache/limits.ts';
import type { CommandKit } from '../commit/command-handler.ts';
import { createExecutor } from '../commit/executor.ts';
import type { Admit } from '../commit/lines.ts';
import { createStreamQueue } from '../commit/stream-queue.ts';
import { tracedCommits } from '../commit/traced.ts';
import { compileCatalog, type EventRegistry } from '../event-store/catalog.ts';
import { openEventStore } from '../event-store/store.ts';
import { watchFeed } from '../event-store/watch.ts';
import type { WriteKit } from '../http/commands.ts';
import { createConsistencyTokens } from '../http/consistency.ts';
import type { HealthCheck } from '../http/health.ts';
import { idempotencyRecords } from '../idempotency/records.ts';
import { openKeyRing } from '../keys/key-ring.ts';
import { type Kept, openKept } from '../read-models/kept.ts';
import type { DatabaseAddress } from '../sql/connection.ts';
import { type Database, openDatabase, statement } from '../sql/database.ts';
import { createSignal, type Signal } from './signal.ts';

export type ServiceKit = {
  readonly database: Database;
  readonly commands: CommandKit;
  readonly write: WriteKit;
  /** Answers over many rows, until one of them is written. */
  readonly kept: Kept;
  /** Given after each commit of this process: for whoever waits for what it may have led to. */
  readonly committed: Signal;
  /** Called at the durable steps by their names: tests kill the process there. */
  readonly failPoint: (name: string) => void;
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
  /** Given after each commit; others of this process may wait for it. */
  readonly committed?: Signal;
  /** Where answers are kept; nowhere by default. */
  readonly cache?: Cache;
  /** Counts what somebody tries; missing where limits are switched off. */
  readonly limiter?: Limiter | undefined;
  /** Whether the store may be written to in a life of its; see set-back.ts. Where nobody is asked, it may. */
  readonly admit?: Admit | undefined;
};

/** What a service is told of the installation that it is part of. */
export type ServicePlacement = Required<
  Pick<ServiceKitOptions, 'address' | 'keysAddress' | 'failPoint' | 'committed'>
> &
  Pick<ServiceKitOptions, 'cache' | 'limiter' | 'admit'>;

const STATEMENT_TIMEOUT = 2_000;
const READ_CONNECTIONS = 3;
const FORGET_EVERY = 10 * 60_000;
const KEYS_PING = statement('ping-keys', 'select 1 from subject_key limit 1');
const PING = statement('ping', 'select 1 from event limit 1');

/** Connects to nothing yet: each part connects when it is first asked, and again whenever it must. */
export const openServiceKit = (options: ServiceKitOptions): ServiceKit => {
  const { name, address, keysAddress, schema, registry, masterKey } = options;
  const { failPoint = () => undefined, committed = createSignal(), cache = NO_CACHE } = options;
  const common = { statementTimeout: STATEMENT_TIMEOUT, applicationName: `taskwire ${name}` };
  const database = openDatabase({ ...common, address, schema, role: schema, connections: READ_CONNECTIONS });
  const keysDatabase = openDatabase({ ...common, address: keysAddress, schema: 'keys', role: 'keys', connections: 1 });
  const catalog = compileCatalog(registry);
  const keys = openKeyRing(keysDatabase, masterKey);
  const kept = openKept(cache, schema);
  const hooks = { failPoint, committed: committed.notify, written: kept.written, admit: options.admit };
  const executor = tracedCommits(name, createExecutor(name, database, hooks));
  const commands: CommandKit = {
    service: name,
    store: openEventStore(database, catalog, keys),
    catalog,
    keys,
    executor,
    queue: createStreamQueue(),
  };
  const records = idempotencyRecords(database);
  const tokens = createConsistencyTokens(masterKey);
  const stopWatching = watchFeed(name, database);
  const forgetting = setInterval(() => {
    records.forgetOld().catch(() => undefined); // the database is away: the next round finds the same records
  }, FORGET_EVERY).unref();
  return {
    database,
    commands,
    write: {
      commands,
      records,
      underWay: new Set<string>(),
      tokenOf: (published) => tokens.write({ source: name, ...published }),
    },
    kept,
    committed,
    failPoint,
    health: async () => {
      await Promise.all([database.read(PING, []), keysDatabase.read(KEYS_PING, [])]);
      return { status: 'ok' };
    },
    close: async () => {
      clearInterval(forgetting);
      stopWatching();
      await executor.close();
      await Promise.all([database.close(), keysDatabase.close()]);
    },
  };
};
