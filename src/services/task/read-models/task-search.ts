/** Lists of tasks: filters, order, full text, and pages by the place where the last one ended. */
import type { CategoryId, Priority } from '#contracts/task.ts';
import type { UserId } from '#contracts/user.ts';
import { type Count, type Kept, SNAPSHOT } from '#platform/read-models/kept.ts';
import { type Page, type PageQuery, pageOf } from '#platform/read-models/place.ts';
import { type Database, statement } from '#platform/sql/database.ts';
import { searchWords } from './search-words.ts';
import { type ShownTask, taskTable } from './task-list.ts';

export const SORTS = ['dueAt', 'priority', 'createdAt', 'updatedAt', 'title'] as const;
export type Sort = (typeof SORTS)[number] | `-${(typeof SORTS)[number]}`;

export type TaskFilter = {
  readonly owner: UserId;
  readonly trash: boolean;
  readonly status?: 'open' | 'completed' | undefined;
  readonly priority?: readonly Priority[] | undefined;
  readonly categoryId?: CategoryId | undefined;
  readonly dueBefore?: string | undefined;
  readonly dueAfter?: string | undefined;
  readonly overdue?: boolean | undefined;
  /** Words, each of which must begin a word of title or description. */
  readonly q?: string | undefined;
};

/** Each order by an expression that is never null; tasks without a due date come last, however the list is turned. */
const ORDER: Readonly<Record<(typeof SORTS)[number], { readonly by: string; readonly type: string }>> = {
  dueAt: { by: "coalesce(due_at, 'infinity')", type: 'timestamptz' },
  priority: { by: 'priority_rank', type: 'smallint' },
  createdAt: { by: 'created_at', type: 'timestamptz' },
  updatedAt: { by: 'updated_at', type: 'timestamptz' },
  title: { by: 'title_key', type: 'text collate "C"' },
};

export const listTasks = async (
  database: Database,
  filter: TaskFilter,
  sort: Sort,
  { after, limit }: PageQuery,
): Promise<Page<ShownTask>> => {
  const descending = sort.startsWith('-');
  const field = sort.replace('-', '') as (typeof SORTS)[number];
  const by = field === 'dueAt' && descending ? "coalesce(due_at, '-infinity')" : ORDER[field].by;
  const { conditions, values } = where(filter);
  if (after) {
    values.push(...after);
    conditions.push(
      `(${by}, id) ${descending ? '<' : '>'} ($${values.length - 1}::${ORDER[field].type}, $${values.length}::uuid)`,
    );
  }
  values.push(limit + 1);
  const turn = descending ? 'desc' : 'asc';
  const text = `select ${taskTable.selected}, (${by})::text as place from task_list where ${conditions.join(' and ')}
    order by ${by} ${turn}, id ${turn} limit $${values.length}`;
  const found = await database.read<ShownTask & { readonly place: string }>(prepared('task-list', text), values);
  const { rows, next } = pageOf(found, limit, ({ place, id }) => [place, id]);
  return { rows: rows.map(({ place, ...row }) => row), next };
};

export const countTasks = async (
  kept: Kept,
  database: Database,
  filter: TaskFilter,
  { fresh }: { readonly fresh: boolean },
): Promise<number> => {
  const { conditions, values } = where(filter);
  const text = `select count(*) as count, ${SNAPSHOT} from task_list where ${conditions.join(' and ')}`;
  // What is overdue changes by itself, as time passes.
  const what = { of: taskTable, owner: filter.owner, name: filter, fresh: fresh || filter.overdue !== undefined };
  return kept.count(what, async () => {
    const [counted] = await database.read<Count>(prepared('task-count', text), values);
    if (counted === undefined) throw new Error('a count answered nothing');
    return counted;
  });
};

const where = (filter: TaskFilter): { conditions: string[]; values: unknown[] } => {
  const values: unknown[] = [filter.owner];
  const conditions = ['owner_id = $1', `deleted_at is ${filter.trash ? 'not ' : ''}null`];
  const add = (value: unknown, condition: (parameter: string) => string) => {
    if (value === undefined) return;
    values.push(value);
    conditions.push(condition(`$${values.length}`));
  };
  add(filter.status, (p) => `status = ${p}`);
  add(filter.priority && [...filter.priority], (p) => `priority = any(${p})`);
  add(filter.categoryId, (p) => `category_id = ${p}`);
  add(filter.dueBefore, (p) => `due_at < ${p}`);
  add(filter.dueAfter, (p) => `due_at > ${p}`);
  add(filter.q === undefined ? undefined : wordBeginnings(filter.q), (p) => `search_text like all(${p}::text[])`);
  if (filter.overdue !== undefined) {
    conditions.push(
      filter.overdue
        ? "(status = 'open' and due_at < now())"
        : "(status <> 'open' or due_at is null or due_at >= now())",
    );
  }
  return { conditions, values };
};

/** A pattern for each word of the query, which begins a word of the text; without any word, one that finds nothing. */
const wordBeginnings = (q: string): readonly string[] => {
  const words = searchWords(q);
  return words.length > 0 ? words.map((word) => `% ${word}%`) : [''];
};

/** The first combinations of filters and orders are prepared; whoever tries them all finds the others parsed each time. */
const MAX_PREPARED = 64;
const names = new Map<string, string>();
const prepared = (prefix: string, text: string) => {
  const known = names.get(text);
  if (known !== undefined || names.size >= MAX_PREPARED) return statement(known ?? '', text);
  const name = `${prefix}-${names.size + 1}`;
  names.set(text, name);
  return statement(name, text);
};
