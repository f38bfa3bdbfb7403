/** taskwire migrate and migrate status: what every schema needs of this release, and what was applied already. */
import { waitForDatabase } from '#platform/lifecycle/wait-for-database.ts';
import { migrate, migrationStatus } from '#platform/migrations/migrate.ts';
import { migrationTargets } from '../installation.ts';
import { tell } from '../starting.ts';
import { say, sayJson } from './output.ts';
import { withDatabase, withNewDatabase } from './with-stores.ts';

export const migrateNow = (): Promise<void> =>
  withNewDatabase(async (config, address) => {
    for (const target of migrationTargets(config, address)) {
      await waitForDatabase(target.address, tell); // it may be starting still
      const applied = await migrate(target);
      say(`${target.schema}: ${applied.length > 0 ? `applied ${applied.join(', ')}` : 'up to date'}`);
    }
  });

export const migrateStatus = ({ json }: { readonly json?: boolean }): Promise<void> =>
  withDatabase(async (config, address) => {
    const states = (await Promise.all(migrationTargets(config, address).map(migrationStatus))).flat();
    if (json) return sayJson(states);
    for (const { schema, name, appliedAt } of states)
      say(`${schema.padEnd(14)} ${name.padEnd(32)} ${appliedAt ?? 'pending'}`);
  });
