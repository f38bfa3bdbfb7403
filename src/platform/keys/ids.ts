/** New ids: UUIDv7 (RFC 9562), which sort by the time they were made. Only the edge makes ids, never a domain. */
import { v7 } from 'uuid';
import { freshBytes } from './random.ts';

/** An id of the kind that the caller needs: being made here is the check that it is one. */
export const newId = <Id extends string = string>(): Id => v7({ random: freshBytes(16) }) as Id;
