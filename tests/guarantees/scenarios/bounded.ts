/** Load, and then rest: what is left must not grow with what has been. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Cluster } from '../../../scripts/kafka/cluster.ts';
import type { Sql } from '../../support/sql.ts';
import { atLeast, atMost, type Figures, NONE, scenario } from '../kit/scenario.ts';
import { bytesBesideEvents } from '../load/brokers.ts';
import { ALL_KEPT, trial } from '../load/trial.ts';

const MS = { short: 20_000, full: 10 * 60_000 };

/** How many rows each table may have once all is drained, given how many events of a type there are. */
type Limit = (counts: Readonly<Record<string, number>>) => number;
const none: Limit = () => 0;
const few =
  (rows: number): Limit =>
  () =>
    rows;
const rowsOf =
  (...types: readonly string[]): Limit =>
  (counts) =>
    types.reduce((sum, type) => sum + (counts[type] ?? 0), 0);
const LANES = 64;
const CONSUMERS = 4;
/** A cursor for each part of the bus that a consumer reads: partitions, where there is a broker. */
const PARTS = 4;

/** Every table but the events. One that is not here is one that nobody thought of. */
const TABLES: Readonly<Record<string, Limit>> = {
  era: few(1),
  schema_migration: few(50),
  reservation: rowsOf('user.created', 'user.created'),
  // Kept for a day, one a command with a key.
  idempotency: rowsOf('task.created', 'task.updated', 'task.completed', 'task.reopened'),
  consumer: few(CONSUMERS),
  consumer_source: few(CONSUMERS),
  consumer_cursor: few(CONSUMERS * PARTS),
  consumer_lease: few(CONSUMERS),
  consumer_lane: few(CONSUMERS * LANES),
  relay: few(1),
  relay_lane: few(2 * LANES), // of a public and a private topic
  parked_key: none,
  parked_event: none,
  lease: none,
  schedule: none,
  user_profile: rowsOf('user.created'),
  credential: rowsOf('user.created'),
  person: rowsOf('user.created'),
  user_session: rowsOf('user.authenticated'),
  subject_key: rowsOf('user.created'),
  task_list: rowsOf('task.created'),
  known_task: rowsOf('task.created'),
  category_list: none,
  mail_list: rowsOf('email'),
  inbox_list: rowsOf('in_app'),
  // A row each time: one whose acceptance was not heard of in time, on a machine with too much to do, comes twice. That
  // there are no others is a figure of its own.
  dev_mailbox: (counts) => 2 + 1.01 * (counts.email ?? 0),
};

export const bounded = scenario('bounded', {
  promise: 'after load every table but the events is as large as what it holds is, and what has passed leaves nothing',
  run: async (stage) => {
    const { world } = stage;
    const on = world.topology === 'distributed' ? await world.install() : undefined;
    const installation = on ?? (await world.install());
    return trial(stage, {
      installation,
      meanwhile: async () => {
        await pause(MS[stage.form]);
        return { 'ms of load': MS[stage.form] };
      },
      afterwards: async () => {
        return {
          ...(await settled(() => sizes(installation.sql, SCHEMAS))),
          ...(await twinsIn(installation.sql)),
          ...(await naiveSizes(installation.sql)),
          ...(on && (await topicSizes(on.cluster))),
        };
      },
    });
  },
  bounds: (_form, topology) => ({
    ...ALL_KEPT,
    'tables beyond their limit': NONE,
    'tables nobody thought of': NONE,
    'mails twice though no attempt had failed': NONE,
    'a naive consumer’s tables beside them: beyond': atLeast(1),
    // Written at each commit, and vacuumed.
    'MB of where consumers stand': atMost(8),
    // Of the groups' offsets, which are told every 5 s: what is compacted in time does not grow with what was heard.
    ...(topology === 'distributed' && { 'topics beside those of events': atLeast(1), 'kB in them': atMost(2_000) }),
  }),
  controls: [],
});

/** Once nothing is beyond its limit, or after half a minute: what was asked for last may have to be sent yet. */
const settled = async (look: () => Promise<Figures>): Promise<Figures> => {
  for (let tries = 1; ; tries += 1) {
    await pause(1_000);
    const found = await look();
    if (found['tables beyond their limit'] === 0 || tries === 30) return found;
  }
};

/** Of mails that lie twice in the built-in mailbox. */
const twinsIn = async (sql: Sql): Promise<Figures> => {
  const twins = await sql<{ failed: boolean }>(`
    select exists (select from notification_service.event
      where type = 'notification.attempted' and strpos(stream, split_part(ltrim(message_id, '<'), '@', 1)) > 0) as failed
    from notification_service.dev_mailbox group by message_id having count(*) > 1`);
  return {
    'mails twice': twins.length,
    'mails twice though no attempt had failed': twins.filter(({ failed }) => !failed).length,
  };
};

/** Of a consumer that keeps what it failed at, and knows no redrive: as large as all that ever came. */
const naiveSizes = async (sql: Sql): Promise<Figures> => {
  await sql('create schema naive');
  await sql('create table naive.parked_event as select id from task_service.event');
  const { 'tables beyond their limit': beyond = Number.NaN } = await sizes(sql, ['naive']);
  return { 'a naive consumer’s tables beside them: beyond': beyond };
};

const topicSizes = async (cluster: Cluster): Promise<Figures> => {
  const bytes = await bytesBesideEvents(cluster);
  const all = bytes.values().reduce((sum, one) => sum + one, 0);
  return { 'topics beside those of events': bytes.size, 'kB in them': Math.round(all / 1024) };
};

const SCHEMAS = ['user_service', 'task_service', 'notification_service', 'keys'];
const sizes = async (sql: Sql, schemas: readonly string[]): Promise<Figures> => {
  const counted = await sql<{ type: string; count: number }>(`
    select type, count(*)::integer as count from (select type from user_service.event union all select type from task_service.event) e group by type
    union all select data ->> 'channel', count(*)::integer from notification_service.event where type = 'notification.requested' group by 1`);
  const counts = Object.fromEntries(counted.map(({ type, count }) => [type, count]));
  const tables = await sql<{ schema: string; name: string; bytes: number }>(
    `select table_schema as schema, table_name as name,
       pg_total_relation_size(format('%I.%I', table_schema, table_name)::regclass)::float8 as bytes
     from information_schema.tables where table_schema = any ($1)
       and table_type = 'BASE TABLE' and table_name <> 'event'`,
    [[...schemas]],
  );
  const beyond: string[] = [];
  const unknown: string[] = [];
  for (const { schema, name } of tables) {
    const limit = TABLES[name];
    const [row] = await sql<{ count: number }>(`select count(*)::integer as count from "${schema}"."${name}"`);
    if (limit === undefined) unknown.push(name);
    else if ((row?.count ?? Number.NaN) > limit(counts)) beyond.push(`${schema}.${name}: ${row?.count}`);
  }
  if (beyond.length + unknown.length > 0) console.error([...beyond, ...unknown].join('\n'));
  const standing = tables.filter(({ name }) => name.startsWith('consumer_'));
  return {
    'tables looked at': tables.length,
    'tables beyond their limit': beyond.length,
    'tables nobody thought of': unknown.length,
    'MB of where consumers stand': Math.round(standing.reduce((sum, { bytes }) => sum + bytes, 0) / 1024 / 1024),
  };
};
