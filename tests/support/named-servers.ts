/** The servers that the environment names, instead of those that tests start: DB_*, and where given REDIS_* and KAFKA_*. */
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { migrationTargets } from '../../src/installation.ts';
import { parseConfig } from '../../src/platform/config/config.ts';
import { migrate } from '../../src/platform/migrations/migrate.ts';
import { TEMPLATE } from './database.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Settings of servers that are there already; missing where tests bring their own. */
    named?: Readonly<Record<string, string>>;
  }
}

export default async (project: TestProject): Promise<() => Promise<void>> => {
  const config = parseConfig(process.env);
  const { DB_HOST: host, DB_PORT: port, DB_USER: user, DB_PASSWORD: password } = config;
  if (host === undefined) throw new Error('name a PostgreSQL by DB_HOST, as somebody who may make databases and roles');
  const server = { host, port, user, password };
  const onServer = async (sql: string): Promise<void> => {
    const client = new pg.Client({ ...server, database: 'postgres' });
    await client.connect();
    await client.query(sql).finally(() => client.end());
  };
  const drop = () => onServer(`drop database if exists ${TEMPLATE} with (force)`);
  await drop(); // of a run that was broken off
  for (const target of migrationTargets(parseConfig({}), { ...server, database: TEMPLATE })) await migrate(target);
  project.provide('server', server);
  const names = ['REDIS_HOST', 'REDIS_PORT', 'REDIS_PASSWORD', 'KAFKA_BOOTSTRAP_SERVERS'];
  const given = names.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : []));
  project.provide('named', Object.fromEntries(given));
  return drop;
};
