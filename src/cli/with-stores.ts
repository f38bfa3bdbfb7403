/** What a command beside the server needs: the configuration, the database, and each service's store. */
import { type Config, databaseOf, readConfig } from '#platform/config/config.ts';
import { readSecrets } from '#platform/config/secrets.ts';
import type { EventStore } from '#platform/event-store/store.ts';
import { openServiceKit } from '#platform/lifecycle/service-kit.ts';
import type { DatabaseAddress } from '#platform/sql/connection.ts';
import { TASK_SERVICE } from '#services/task/service.ts';
import { USER_SERVICE } from '#services/user/service.ts';
import { joinDatabaseServer } from '../database.ts';

const tell = (line: string): void => void process.stderr.write(`taskwire: ${line}\n`);

export const withDatabase = async <T>(run: (config: Config, address: DatabaseAddress) => Promise<T>): Promise<T> => {
  const config = readConfig();
  const server = await joinDatabaseServer(config, tell);
  try {
    return await run(config, server.address);
  } finally {
    await server.stop();
  }
};

export type NamedStore = { readonly service: string; readonly store: EventStore };
export const withStores = <T>(run: (stores: readonly NamedStore[]) => Promise<T>): Promise<T> =>
  withDatabase(async (config, address) => {
    const { masterKey } = await readSecrets(config);
    const keysAddress = databaseOf(config, 'KEYS', address);
    const kits = [
      openServiceKit({ ...USER_SERVICE, address: databaseOf(config, 'USER', address), keysAddress, masterKey }),
      openServiceKit({ ...TASK_SERVICE, address: databaseOf(config, 'TASK', address), keysAddress, masterKey }),
    ];
    try {
      const names = [USER_SERVICE.name, TASK_SERVICE.name];
      return await run(kits.map(({ commands }, n) => ({ service: names[n] ?? '', store: commands.store })));
    } finally {
      await Promise.all(kits.map((kit) => kit.close()));
    }
  });
