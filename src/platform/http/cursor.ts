/**
 * Cursors of lists: where a page ended, readable and writable by us alone (they carry titles and addresses, so they
 * are sealed, not only signed), and bound to who asked, the filters and the order.
 */
import { createCipheriv, createDecipheriv, createHash, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import { freshBytes } from '../keys/random.ts';
import type { Place } from '../read-models/place.ts';
import { invalidInput, refuse } from './problems.ts';

export type CursorCodec = {
  /** `binding` is all that the next page must have in common with this one. */
  write(place: Place, binding: unknown): string;
  /** Throws invalid-input for what is no cursor of ours, cursor-mismatch for one of another list. */
  read(cursor: string, binding: unknown): Place;
};

export const createCursorCodec = (secret: string): CursorCodec => {
  const key = createSecretKey(Buffer.from(hkdfSync('sha256', secret, 'taskwire', 'cursors', 32)));
  const hash = (binding: unknown) =>
    createHash('sha256').update(JSON.stringify(binding, inOrder)).digest('base64url').slice(0, 22);
  return {
    write: (place, binding) => {
      const iv = freshBytes(12);
      const cipher = createCipheriv('aes-256-gcm', key, iv);
      const text = cipher.update(JSON.stringify([hash(binding), ...place]));
      return Buffer.concat([iv, text, cipher.final(), cipher.getAuthTag()]).toString('base64url');
    },
    read: (cursor, binding) => {
      const [bound, ...place] = open(Buffer.from(cursor, 'base64url'), key);
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

const open = (bytes: Buffer, key: KeyObject): Place => {
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12), { authTagLength: 16 }).setAuthTag(
      bytes.subarray(-16),
    );
    return JSON.parse(decipher.update(bytes.subarray(12, -16), undefined, 'utf8') + decipher.final('utf8')) as Place;
  } catch {
    // Whatever is wrong with it, it is not ours: the client is told, and nothing else depends on it.
    throw invalidInput({ pointer: '/query/cursor', code: 'not-a-cursor', detail: 'must be the nextCursor of a page' });
  }
};
