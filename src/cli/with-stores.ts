/** What a command beside the server needs: the configuration, the database, and each service's store. */
import { type Config, readConfig } from '#platform/config/config.ts';
import { readSecrets } from '#platform/config/secrets.ts';
import type { EventStore } from '#platform/event-store/store.ts';
import { openServiceKit } from '#platform/lifecycle/service-kit.ts';
import { migrationStatus } from '#platform/migrations/migrate.ts';
import type { DatabaseAddress } from '#platform/sql/connection.ts';
import { joinDatabaseServer, requireDatabase } from '../database.ts';
import { migrationTargets, SERVICES, whereIs } from '../installation.ts';

const tell = (line: string): void => void process.stderr.write(`taskwire: ${line}\n`);

type Run<T> = (config: Config, address: DatabaseAddress) => Promise<T>;
/** For commands that look. */
export const withDatabase = <T>(run: Run<T>): Promise<T> => {
  const config = readConfig();
  requireDatabase(config);
  return onDatabase(config, run);
};
/** For commands that make what is missing. */
export const withNewDatabase = <T>(run: Run<T>): Promise<T> => onDatabase(readConfig(), run);

const onDatabase = async <T>(config: Config, run: Run<T>): Promise<T> => {
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
    for (const target of migrationTargets(config, address)) {
      const pending = (await migrationStatus(target)).filter(({ appliedAt }) => appliedAt === null);
      if (pending.length > 0) throw new Error(`there is no event store of this release yet: run \`taskwire migrate\``);
    }
    const { masterKey } = await readSecrets(config);
    const kits = SERVICES.map((service) =>
      openServiceKit({ ...service, ...whereIs(service, config, address), masterKey }),
    );
    try {
      return await run(kits.map(({ commands }, n) => ({ service: SERVICES[n]?.name ?? '', store: commands.store })));
    } finally {
      await Promise.all(kits.map((kit) => kit.close()));
    }
  });
