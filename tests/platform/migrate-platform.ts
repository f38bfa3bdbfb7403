/** The platform's tables, on a server that has no template to clone. */
import { fileURLToPath } from 'node:url';
import { migrate } from '../../src/platform/migrations/migrate.ts';
import type { DatabaseAddress } from '../../src/platform/sql/connection.ts';
import { SCHEMA } from './notes.ts';

const platformFolder = (name: string): string =>
  fileURLToPath(new URL(`../../src/platform/${name}/migrations`, import.meta.url));

export const migratePlatform = async (address: DatabaseAddress): Promise<void> => {
  await migrate({ address, schema: 'keys', folders: [platformFolder('keys')] });
  await migrate({ address, schema: SCHEMA, folders: [platformFolder('event-store')] });
};
