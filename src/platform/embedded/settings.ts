/** How our own PostgreSQL is set up: nothing acknowledged may be lost, and the whole product fits in 250 MB. */

const SETTINGS: Readonly<Record<string, string>> = {
  // Durability is the product's promise: said here, so that no edited postgresql.conf can break it.
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  // Reached through the socket only.
  listen_addresses: '',
  unix_socket_permissions: '0700',
  max_connections: '60',
  // Memory and processes: reads without workers of their own, no replication, no huge pages that others lack.
  shared_buffers: '48MB',
  work_mem: '4MB',
  maintenance_work_mem: '32MB',
  huge_pages: 'off',
  io_method: 'sync',
  max_worker_processes: '4',
  max_logical_replication_workers: '0',
  max_wal_senders: '2',
  max_wal_size: '256MB',
  min_wal_size: '32MB',
  // Compiling a query costs more than any of ours runs.
  jit: 'off',
  timezone: 'UTC',
  // What fails in a statement is told to its sender, who reports it; here it might put a person's data into the log.
  log_min_messages: 'log',
  log_min_error_statement: 'panic',
  log_checkpoints: 'off',
  log_timezone: 'UTC',
};

/** The settings as arguments of `postgres`; `more` wins over ours. */
export const settingArguments = (more: Readonly<Record<string, string>>): readonly string[] =>
  Object.entries({ ...SETTINGS, ...more }).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
