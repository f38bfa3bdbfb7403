/** Categories as their owners see them: row, fold and queries. */
import type { CategoryFields, CategoryId, CategoryName, Color } from '#contracts/task.ts';
import type { UserId } from '#contracts/user.ts';
import { clearFields, newValues } from '#platform/decider.ts';
import { readModel } from '#platform/read-models/fold.ts';
import { type Page, type PageQuery, type Place, pageOf } from '#platform/read-models/place.ts';
import { instant, integer, orNull, type RowOf, table, text, uuid } from '#platform/read-models/table.ts';
import { type Database, statement } from '#platform/sql/database.ts';
import type { CategoryEvent } from '../events.ts';

const columns = {
  id: uuid<CategoryId>(),
  version: integer(),
  ownerId: uuid<UserId>(),
  name: orNull(text<CategoryName>()),
  color: orNull(text<Color>()),
  order: integer(),
  status: text<'active' | 'archived' | 'deleted'>(),
  createdAt: instant(),
  updatedAt: instant(),
};
const categoryTable = table('category_list', columns, {
  indexes: { order: { on: ['ownerId', 'order', 'id'] } },
});
export type CategoryRow = RowOf<typeof columns>;

export const categoryList = readModel<CategoryRow, CategoryEvent, 'category.created'>(categoryTable, {
  starts: {
    'category.created': ({ data }, { streamId, occurredAt }) => ({
      ...clearFields(data),
      id: streamId as CategoryId, // a stream's name was made from it
      status: 'active',
      createdAt: occurredAt,
      updatedAt: occurredAt,
    }),
  },
  continues: {
    'category.updated': (row, { data }, { occurredAt }) => ({
      ...row,
      ...clearFields(newValues<CategoryFields>(data.changes)),
      updatedAt: occurredAt,
    }),
    'category.archived': (row, _event, { occurredAt }) => ({ ...row, status: 'archived', updatedAt: occurredAt }),
    'category.unarchived': (row, _event, { occurredAt }) => ({ ...row, status: 'active', updatedAt: occurredAt }),
    'category.deleted': (row, _event, { occurredAt }) => ({ ...row, status: 'deleted', updatedAt: occurredAt }),
  },
});

const BY_ID = statement(
  'category-by-id',
  `select ${categoryTable.selected} from category_list where id = $1 and owner_id = $2 and status <> 'deleted'`,
);
export const findCategory = async (
  database: Database,
  id: CategoryId,
  owner: UserId,
): Promise<CategoryRow | undefined> => (await database.read<CategoryRow>(BY_ID, [id, owner]))[0];

const VISIBLE = `owner_id = $1 and (status = $2 or ($2 is null and status <> 'deleted'))`;
const LIST = statement(
  'category-list',
  `select ${categoryTable.selected} from category_list
   where ${VISIBLE} and ("order", id) > ($3::integer, $4::uuid) order by "order", id limit $5`,
);
const COUNT = statement('category-count', `select count(*) as count from category_list where ${VISIBLE}`);
const START: Place = [-1, '00000000-0000-0000-0000-000000000000'];

export type CategoryFilter = { readonly owner: UserId; readonly status: 'active' | 'archived' | undefined };
export const listCategories = async (
  database: Database,
  { owner, status }: CategoryFilter,
  { after = START, limit }: PageQuery,
): Promise<Page<CategoryRow>> => {
  const found = await database.read<CategoryRow>(LIST, [owner, status ?? null, ...after, limit + 1]);
  return pageOf(found, limit, ({ order, id }) => [order, id]);
};
export const countCategories = async (database: Database, { owner, status }: CategoryFilter): Promise<number> =>
  (await database.read<{ count: number }>(COUNT, [owner, status ?? null]))[0]?.count ?? 0;
