/** What is due by itself, and when: one row a stream, folded from its events and written in the commit that changed it. */
import type { RowWrite } from '../commit/commit.ts';
import { instant, integer, type RowOf, table, text, uuid } from '../read-models/table.ts';
import { formats } from '../schema/formats.ts';
import { type Database, statement } from '../sql/database.ts';

const columns = { id: uuid(), version: integer(), streamPrefix: text(), dueAt: instant() };
const scheduleTable = table('schedule', columns);
type ScheduleRow = RowOf<typeof columns>;

/** What makes a stream's row in the schedule say when it is due, or that it is not. */
export const scheduleRow = (dueAt: string | null, stream: Omit<ScheduleRow, 'dueAt'>): RowWrite =>
  dueAt === null ? { remove: scheduleTable, id: stream.id } : { upsert: scheduleTable, row: { ...stream, dueAt } };

const DUE_OF = statement('schedule-due-of', 'select id, due_at as "dueAt" from schedule where id = any($1)');
/** When something is due next on some streams, by the ids of their aggregates, whatever those are; missing where nothing is. */
export const dueOf = async (database: Database, ids: readonly string[]): Promise<ReadonlyMap<string, string>> => {
  const rows = await database.read<Pick<ScheduleRow, 'id'> & { readonly dueAt: string }>(DUE_OF, [
    ids.filter(formats.uuid), // somebody may have written a stream of any name into a store
  ]);
  return new Map(rows.map(({ id, dueAt }) => [id, dueAt]));
};

const DUE_NOW = statement(
  'schedule-due-now',
  `select count(*)::integer as due, coalesce(extract(epoch from now() - min(due_at)), 0)::float8 as seconds
   from (select due_at from schedule where stream_prefix = $1 and due_at <= now() order by due_at limit 10000) late`,
);
type Due = { readonly due: number; readonly seconds: number };
/** How many streams of a prefix are due, counted up to 10,000, and for how long the first of them has been. */
export const dueNow = async (database: Database, streamPrefix: string): Promise<Due> =>
  (await database.read<Due>(DUE_NOW, [streamPrefix]))[0] ?? { due: 0, seconds: 0 };
