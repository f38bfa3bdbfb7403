/** Idempotency-Key over HTTP: the same request is carried out once, and answered alike each time. */
import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import type { IdempotencyScope } from '../commit/commit.ts';
import type { DoneBefore, IdempotencyRecords } from '../idempotency/records.ts';
import { principalOf } from './access.ts';
import { refuse } from './problems.ts';

export type Keyed = IdempotencyScope & { readonly bodyHash: string };

/** The key of a request, scoped to who asks and to the route; undefined without one. Throws invalid-idempotency-key. */
export const keyedRequest = (request: FastifyRequest): Keyed | undefined => {
  const header = request.headers['idempotency-key'];
  if (header === undefined) return undefined;
  const key = String(header).replace(/^"(.*)"$/, '$1');
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) throw refuse('invalid-idempotency-key');
  const what = JSON.stringify([request.url, request.headers['if-match'] ?? null, request.body ?? null]);
  return {
    principal: principalOf(request).userId,
    route: `${request.method} ${request.routeOptions.url}`,
    key,
    bodyHash: createHash('sha256').update(what).digest('base64url'),
  };
};

/**
 * Runs `first` unless the same was done before, then `again`. In this process a second use of a key under way is
 * refused at once; between processes the commit refuses it.
 */
export const once = async <T>(
  records: IdempotencyRecords,
  underWay: Set<string>,
  keyed: Keyed | undefined,
  first: () => Promise<T | 'seen' | 'in-flight'>,
  again: (before: DoneBefore) => Promise<T>,
): Promise<T> => {
  if (keyed === undefined) return known(await first());
  const name = `${keyed.principal} ${keyed.route} ${keyed.key}`;
  if (underWay.has(name)) throw inFlight();
  underWay.add(name);
  try {
    const before = (await records.find(keyed)) ?? (await seenOr(first, () => records.find(keyed)));
    if ('done' in before) return before.done;
    if (before.bodyHash !== keyed.bodyHash) throw refuse('idempotency-key-reused');
    return await again(before);
  } finally {
    underWay.delete(name);
  }
};

const seenOr = async <T>(
  first: () => Promise<T | 'seen' | 'in-flight'>,
  find: () => Promise<DoneBefore | undefined>,
): Promise<{ readonly done: T } | DoneBefore> => {
  const result = await first();
  if (result !== 'seen') return { done: known(result) };
  const before = await find();
  if (before === undefined) throw inFlight(); // it was there a moment ago, and forgotten since
  return before;
};
const known = <T>(result: T | 'seen' | 'in-flight'): T => {
  if (result === 'seen' || result === 'in-flight') throw inFlight();
  return result;
};
const inFlight = () => refuse('idempotency-in-flight', { headers: { 'retry-after': '1' } });
