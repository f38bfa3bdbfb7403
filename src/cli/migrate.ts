import { waitForDatabase } from '#platform/lifecycle/wait-for-database.ts';
import { migrate, migrationStatus } from '#platform/migrations/migrate.ts';
import { migrationTargets } from '../installation.ts';
import { tell } from '../starting.ts';
import { withDatabase, withNewDatabase } from './with-stores.ts';

export const migrateNow = (): Promise<void> =>
  withNewDatabase(async (config, address) => {
    for (const target of migrationTargets(config, address)) {
      await waitForDatabase(target.address, tell); // it may be starting still
      const applied = await migrate(target);
      console.log(`${target.schema}: ${applied.length > 0 ? `applied ${applied.join(', ')}` : 'up to date'}`);
    }
  });

export const migrateStatus = (): Promise<void> =>
  withDatabase(async (config, address) => {
    for (const target of migrationTargets(config, address)) {
      for (const { schema, name, appliedAt } of await migrationStatus(target)) {
        console.log(`${schema.padEnd(14)} ${name.padEnd(32)} ${appliedAt ?? 'pending'}`);
      }
    }
  });
