/**
 * Cursors of lists: where a page ended, readable and writable by us alone (they carry titles and addresses, so they
 * are sealed, not only signed), and bound to who asked, the filters and the order.
 */
import { createHash } from 'node:crypto';
import type { Place } from '../read-models/place.ts';
import { invalidInput, refuse } from './problems.ts';
import { createSeal } from './seal.ts';

export type CursorCodec = {
  /** `binding` is all that the next page must have in common with this one. */
  write(place: Place, binding: unknown): string;
  /** Throws invalid-input for what is no cursor of ours, cursor-mismatch for one of another list. */
  read(cursor: string, binding: unknown): Place;
};

/** Cursors sealed under the newest of the secrets, opened under any: a client can neither read nor make one. */
export const createCursorCodec = (secret: string): CursorCodec => {
  const { seal, open } = createSeal(secret, 'cursors');
  const hash = (binding: unknown) =>
    createHash('sha256').update(JSON.stringify(binding, inOrder)).digest('base64url').slice(0, 22);
  return {
    write: (place, binding) => seal(JSON.stringify([hash(binding), ...place])),
    read: (cursor, binding) => {
      const text = open(cursor);
      if (text === undefined) throw notACursor();
      const [bound, ...place] = JSON.parse(text) as Place;
      if (bound !== hash(binding)) throw refuse('cursor-mismatch');
      return place;
    },
  };
};

/** Filters stand in the order of the address that named them, which means nothing. */
const inOrder = (_key: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1)))
    : value;

const notACursor = () =>
  invalidInput({ pointer: '/query/cursor', code: 'not-a-cursor', detail: 'must be the nextCursor of a page' });
