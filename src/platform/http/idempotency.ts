/** Idempotency-Key over HTTP: the same request is carried out once, and answered alike each time. */
import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import type { IdempotencyScope } from '../commit/commit.ts';
import type { DoneBefore, IdempotencyRecords } from '../idempotency/records.ts';
import { principalOf } from './access.ts';
import { type HttpProblem, refuse } from './problems.ts';

export const IDEMPOTENCY_KEY_PATTERN = '^[\\x21-\\x7e]{1,255}$';
const KEY = new RegExp(IDEMPOTENCY_KEY_PATTERN);

export type Keyed = IdempotencyScope & { readonly bodyHash: string };

/** The key of a request, scoped to who asks and to the route; undefined without one. Throws invalid-idempotency-key. */
export const keyedRequest = (request: FastifyRequest): Keyed | undefined => {
  const header = request.headers['idempotency-key'];
  if (header === undefined) return undefined;
  const key = String(header).replace(/^"(.*)"$/, '$1');
  if (!KEY.test(key)) throw refuse('invalid-idempotency-key');
  const what = JSON.stringify([request.url, request.headers['if-match'] ?? null, request.body ?? null]);
  return {
    principal: principalOf(request).userId,
    route: `${request.method} ${request.routeOptions.url}`,
    key,
    bodyHash: createHash('sha256').update(what).digest('base64url'),
  };
};

/** How a keyed request ended: for good, or in a refusal that an earlier use of its key may explain. */
export type Attempt<T> = { readonly final: T } | { readonly refusal: HttpProblem };

export type Keys = {
  readonly records: IdempotencyRecords;
  /** Keys in use in this process. */
  readonly underWay: Set<string>;
  readonly lookUpFirst: boolean;
};

/**
 * Answers `again` when the same was done before under this key, else what `first` comes to. Usually the key is not
 * looked up before: the commit itself refuses one that was seen, so the usual case costs no trip. Only a refusal is
 * looked at twice, for what was asked may be impossible just because it was done. In this process a second use of a key
 * under way is refused at once; between processes the commit refuses it.
 */
export const once = async <T>(
  { records, underWay, lookUpFirst }: Keys,
  keyed: Keyed | undefined,
  first: () => Promise<Attempt<T>>,
  again: (before: DoneBefore) => Promise<T>,
): Promise<T> => {
  if (keyed === undefined) return finalOf(await first());
  const name = `${keyed.principal} ${keyed.route} ${keyed.key}`;
  if (underWay.has(name)) throw idempotencyInFlight();
  underWay.add(name);
  try {
    let before = lookUpFirst ? await records.find(keyed) : undefined;
    if (before === undefined) {
      const attempt = await first();
      if ('final' in attempt) return attempt.final;
      before = await records.find(keyed);
      if (before === undefined) throw attempt.refusal;
    }
    if (before.bodyHash !== keyed.bodyHash) throw refuse('idempotency-key-reused');
    return await again(before);
  } finally {
    underWay.delete(name);
  }
};

const finalOf = <T>(attempt: Attempt<T>): T => {
  if ('refusal' in attempt) throw attempt.refusal;
  return attempt.final;
};
/** The problem of a second request under a key whose first is not over; worth another try in a second. */
export const idempotencyInFlight = (): HttpProblem =>
  refuse('idempotency-in-flight', { headers: { 'retry-after': '1' } });
