/** Where a page of a list ended: the values of its last row, in the order of the sort. */
export type Place = readonly (string | number)[];
