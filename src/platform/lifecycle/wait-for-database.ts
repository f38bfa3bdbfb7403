/** A process that starts before its database waits for it, says so, and goes on by itself. */
import { setTimeout as pause } from 'node:timers/promises';
import { connect, type DatabaseAddress } from '../sql/connection.ts';
import { DatabaseUnavailable } from '../sql/errors.ts';

/** Returns when the server answers. Throws what will not mend itself: a wrong password, a missing role. */
export const waitForDatabase = async (address: DatabaseAddress, report: (line: string) => void): Promise<void> => {
  for (let attempt = 0; ; attempt += 1) {
    try {
      // The server, not our database in it: that one is made by the migration.
      const options = { schema: 'public', statementTimeout: 2_000, applicationName: 'taskwire start' };
      const client = await connect({ ...options, address: { ...address, database: 'postgres' } });
      await client.end();
      return;
    } catch (error) {
      if (!(error instanceof DatabaseUnavailable)) throw error;
      if (attempt % 20 === 0) report(`waiting for the database at ${address.host}:${address.port}`);
      await pause(250);
    }
  }
};
