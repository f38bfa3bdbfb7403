/** New ids: UUIDv7 (RFC 9562), which sort by the time they were made. Only the edge makes ids, never a domain. */
import { createHash } from 'node:crypto';
import { stringify, v7 } from 'uuid';
import { freshBytes } from './random.ts';

/**
 * An id that follows from what it is made of (UUIDv8, RFC 9562): whoever derives it again gets the same, so that what
 * was done once under it is recognised.
 */
export const derivedId = <Id extends string = string>(...parts: readonly string[]): Id => {
  const bytes = createHash('sha256').update(JSON.stringify(parts)).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return stringify(bytes) as Id;
};

/** An id of the kind that the caller needs: being made here is the check that it is one. */
export const newId = <Id extends string = string>(): Id => v7({ random: freshBytes(16) }) as Id;
