/** Pages of a list: the next begins at the place where this one ended, whatever was written in between. */

/** Where a page ended: the values of its last row, in the order of the sort. */
export type Place = readonly (string | number)[];

/** The page after a place, or the first one. */
export type PageQuery = { readonly after?: Place | undefined; readonly limit: number };
/** `next` is undefined at the end of the list. */
export type Page<Row> = { readonly rows: readonly Row[]; readonly next: Place | undefined };

/** `found` holds one row more than a page has, where there are as many: that one tells that the list goes on. */
export const pageOf = <Row>(found: readonly Row[], limit: number, placeOf: (row: Row) => Place): Page<Row> => {
  const rows = found.slice(0, limit);
  const last = found.length > limit ? rows.at(-1) : undefined;
  return { rows, next: last && placeOf(last) };
};
