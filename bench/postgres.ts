/** The PostgreSQL under test: one server, a database for each service that is measured. */
import { Client } from 'pg';
import { startEmbeddedPostgres } from '../src/platform/embedded/postgres.ts';

export interface Connection {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

export interface Server extends AsyncDisposable {
  readonly connection: Connection;
  readonly folder: string;
}

/** The embedded one, as durable as `npm start` has it. */
export async function startServer(folder: string): Promise<Server> {
  const report = (line: string) => process.stderr.write(`${line}\n`);
  const { connection, stop } = await startEmbeddedPostgres({
    dataDir: folder,
    report,
    settings: { max_connections: '200' },
  });
  return { connection, folder, [Symbol.asyncDispose]: stop };
}

export interface Database extends Connection {
  readonly database: string;
}

export async function query<T extends object>(database: Database, text: string): Promise<T[]> {
  const client = new Client(database);
  await client.connect();
  try {
    return (await client.query<T>(text)).rows;
  } finally {
    await client.end();
  }
}

export async function createDatabase({ connection }: Server, name: string): Promise<Database> {
  await query({ ...connection, database: 'postgres' }, `create database ${name}`);
  return { ...connection, database: name };
}

export const environment = ({ host, port, user, password, database }: Database): Record<string, string> => ({
  DB_HOST: host,
  DB_PORT: String(port),
  DB_USER: user,
  DB_PASSWORD: password,
  DB_NAME: database,
});
