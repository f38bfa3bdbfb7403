/** What a command beside the server needs: the configuration, the database, and each service's store. */
import { type Config, readConfig } from '#platform/config/config.ts';
import type { EventBus } from '#platform/event-bus/bus.ts';
import type { Consumer } from '#platform/event-bus/consumer.ts';
import type { EventStore } from '#platform/event-store/store.ts';
import { openServiceKit, type ServiceKit } from '#platform/lifecycle/service-kit.ts';
import { migrationStatus } from '#platform/migrations/migrate.ts';
import type { DatabaseAddress } from '#platform/sql/connection.ts';
import { joinDatabaseServer, requireDatabase } from '../database.ts';
import { migrationTargets, openInstallation, SERVICES } from '../installation.ts';
import { secretsFor } from '../secrets.ts';
import { tell } from '../starting.ts';

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

/** The same once every migration of this release was applied; throws what to do when one is pending. */
export const withMigratedDatabase = <T>(run: Run<T>): Promise<T> =>
  withDatabase(async (config, address) => {
    for (const target of migrationTargets(config, address)) {
      const pending = (await migrationStatus(target)).filter(({ appliedAt }) => appliedAt === null);
      if (pending.length > 0) throw new Error(`there is no event store of this release yet: run \`taskwire migrate\``);
    }
    return run(config, address);
  });

/** A service as a command sees it: opened beside the process that runs it, and the consumers that its code declares. */
export type OpenedService = {
  readonly service: string;
  readonly kit: ServiceKit;
  readonly consumers: readonly Consumer[];
};
export type Opened = { readonly services: readonly OpenedService[]; readonly bus: EventBus };
export const withServices = <T>(run: (opened: Opened) => Promise<T>): Promise<T> =>
  withMigratedDatabase(async (config, address) => {
    const { masterKey } = await secretsFor(config, address, 'masterKey');
    const { bus, placeOf } = await openInstallation(config, address);
    const services = SERVICES.map((service) => ({
      service: service.name,
      kit: openServiceKit({ ...service, ...placeOf(service), masterKey }),
      consumers: service.consumers ?? [],
    }));
    try {
      return await run({ services, bus });
    } finally {
      await Promise.all([bus.close(), ...services.map(({ kit }) => kit.close())]);
    }
  });

export type NamedStore = { readonly service: string; readonly store: EventStore };
export const withStores = <T>(run: (stores: readonly NamedStore[]) => Promise<T>): Promise<T> =>
  withServices(({ services }) => run(services.map(({ service, kit }) => ({ service, store: kit.commands.store }))));
