/** The secrets of an installation whose database is there already: none is made for one that has its own. */
import { type Config, ConfigurationError, databaseOf } from '#platform/config/config.ts';
import { missingSecrets, readSecrets, type Secrets } from '#platform/config/secrets.ts';
import { hasKeys } from '#platform/keys/rewrap.ts';
import type { DatabaseAddress } from '#platform/sql/connection.ts';
import { openDatabase } from '#platform/sql/database.ts';

/**
 * As readSecrets, once the schemas are migrated. Throws ConfigurationError where secrets would be made beside data that
 * was sealed with others: it could not be read, and what is new would be lost to whoever has the right ones.
 */
export const secretsFor = async <Name extends keyof Secrets = keyof Secrets>(
  config: Config,
  shared: DatabaseAddress,
  ...used: readonly Name[]
): Promise<Pick<Secrets, Name>> => {
  const missing = missingSecrets(config, ...used).filter((name) => name !== 'JWT_PRIVATE_KEYS');
  if (missing.length > 0 && (await isInUse(databaseOf(config, 'KEYS', shared))))
    throw new ConfigurationError(
      `${missing.join(' and ')} must be given: this database was filled with ${missing.length === 1 ? 'one' : 'others'} ` +
        `before, and there is no secrets.json in ${config.DATA_DIR}`,
    );
  return readSecrets(config, ...used);
};

const isInUse = async (address: DatabaseAddress): Promise<boolean> => {
  const rights = { schema: 'keys', role: 'keys', statementTimeout: STATEMENT_TIMEOUT };
  const database = openDatabase({ ...rights, address, applicationName: 'taskwire secrets', connections: 1 });
  try {
    return await hasKeys(database);
  } finally {
    await database.close();
  }
};
const STATEMENT_TIMEOUT = 2_000;
