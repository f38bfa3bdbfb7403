/** A list behind a route: a page of rows becomes an answer, and the place where it ended a cursor. */
import type { Page, PageQuery } from '../read-models/place.ts';
import type { CursorCodec } from './cursor.ts';

/** What the request says of its page, as `listQuery` lets it. */
export type ListQuery = { readonly limit: number; readonly cursor?: string | undefined; readonly count?: boolean };

export type List<Row, Resource> = {
  /** All that the next page must have in common with this one: who asks, the filters, the order. */
  readonly binding: unknown;
  readonly find: (page: PageQuery) => Promise<Page<Row>>;
  /** How many there are in all; missing where nobody can ask for that. */
  readonly count?: () => Promise<number>;
  readonly present: (row: Row) => Resource;
};

/** Throws invalid-input or cursor-mismatch for a cursor that does not belong to this list. */
export const answerList = async <Row, Resource>(
  cursors: CursorCodec,
  { limit, cursor, count: counted = false }: ListQuery,
  { binding, find, count, present }: List<Row, Resource>,
) => {
  const after = cursor === undefined ? undefined : cursors.read(cursor, binding);
  const [{ rows, next }, totalCount] = await Promise.all([find({ after, limit }), counted ? count?.() : undefined]);
  return {
    items: rows.map(present),
    nextCursor: next ? cursors.write(next, binding) : null,
    ...(totalCount !== undefined && { totalCount }),
  };
};
