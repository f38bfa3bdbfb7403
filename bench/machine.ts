/** The machine and the settings that the figures hold for. */
import { availableParallelism, cpus, release, totalmem, type } from 'node:os';
import { query, type Server } from './postgres.ts';

export interface Machine {
  readonly hardware: string;
  readonly postgres: string;
}

const SETTINGS = ['fsync', 'synchronous_commit', 'full_page_writes', 'shared_buffers', 'max_connections'] as const;

export async function describe({ connection }: Server): Promise<Machine> {
  const database = { ...connection, database: 'postgres' };
  const names = ['server_version', ...SETTINGS].map((name) => `'${name}'`).join(', ');
  const text = `select name, current_setting(name) as value from pg_settings where name in (${names})`;
  const rows = await query<{ name: string; value: string }>(database, text);
  const values = new Map(rows.map(({ name, value }) => [name, value]));
  const memory = `${Math.round(totalmem() / 2 ** 30)} GB`;
  const cpu = `${cpus()[0]?.model ?? 'unknown CPU'}, ${availableParallelism()} cores, ${memory}`;
  return {
    hardware: `${cpu}, ${type()} ${release()}, Node ${process.version}`,
    postgres: [
      `PostgreSQL ${values.get('server_version')}`,
      ...SETTINGS.map((name) => `${name} ${values.get(name)}`),
    ].join(', '),
  };
}
