/**
 * What a stream holds, in a few bytes: the sum of its events' hashes, whatever order they came in. Equal digests, and it is
 * the same events. Pure.
 */
import { createHash } from 'node:crypto';
import type { Delivery } from './delivery.ts';

type Digest = { readonly count: number; readonly sum: bigint };
export type Digests = Map<string, Digest>;

const METADATA = ['correlationId', 'causationId', 'actor', 'requestId', 'traceparent', 'occurredAt'] as const;

/** Counts an event in. Each of them once: twins must be dropped before. */
export const addTo = (digests: Digests, { topic, key, envelope }: Omit<Delivery, 'after'>): void => {
  const { id, stream, version, subject, type, schemaVersion, data, recordedAt } = envelope;
  const metadata: Readonly<Record<string, unknown>> = JSON.parse(envelope.metadata);
  const said = METADATA.map((name) => metadata[name] ?? null);
  const all = [topic, key, id, stream, version, subject, type, schemaVersion, data, Date.parse(recordedAt), ...said];
  const hash = createHash('sha256').update(JSON.stringify(all)).digest();
  const known = digests.get(stream);
  digests.set(stream, { count: (known?.count ?? 0) + 1, sum: (known?.sum ?? 0n) + hash.readBigUInt64BE() });
};

export type Difference = { readonly stream: string; readonly here: number; readonly there: number };
/** Streams that are not the same on both sides, with the number of events on each. */
export const differencesOf = (here: Digests, there: Digests): readonly Difference[] =>
  [...new Set([...here.keys(), ...there.keys()])].flatMap((stream) => {
    const [one, other] = [here.get(stream), there.get(stream)];
    if (one !== undefined && one.count === other?.count && one.sum === other.sum) return [];
    return [{ stream, here: one?.count ?? 0, there: other?.count ?? 0 }];
  });
