/**
 * Events as records of a broker, and back: CloudEvents 1.0 in binary mode, so that any client can read them. Beside what
 * CloudEvents names, a record carries the event's place in its store's feed and that of its predecessor in the lane; what
 * has no such place came from nobody of ours. Pure.
 *
 * https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
 */
import { type FeedPosition, LARGEST_EVENT, positionText } from '../../event-store/event.ts';
import { boundedKey, laneOf } from '../../event-store/lane.ts';
import type { Delivery, Stray } from '../delivery.ts';

/** What a broker keeps of a message. */
export type BrokerRecord = {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly (readonly [Buffer | null, Buffer | null])[];
};
/** Where it keeps it; timestamp: ms since 1970, by its sender or the broker. */
export type RecordPlace = {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly timestamp: bigint;
};
export type OutgoingRecord = {
  readonly topic: string;
  /** Taken modulo the number of partitions: a lane lies on one of them. */
  readonly partition: number;
  readonly key: Buffer;
  readonly value: Buffer;
  readonly headers: Map<Buffer, Buffer>;
};

const sourceUri = (source: string): string => `/taskwire/${source}`;
const POSITION = /^(\d{1,9}):(0|[1-9]\d{0,19}):(\d{1,15})$/;
/** Of 20 digits; xid8 ends there. */
const LAST_TX = '18446744073709551615';
const positionIn = (text: string | undefined): FeedPosition | undefined => {
  const [, era, tx, position] = POSITION.exec(text ?? '') ?? [];
  if (tx === undefined || (tx.length === LAST_TX.length && tx > LAST_TX)) return undefined;
  return { era: Number(era), tx, position: Number(position) };
};

/** Which header carries what of an event's metadata. */
const OF_METADATA = {
  correlationId: 'ce_correlationid',
  causationId: 'ce_causationid',
  actor: 'ce_actor',
  requestId: 'ce_requestid',
  traceparent: 'traceparent',
  occurredAt: 'ce_time',
} as const;
const METADATA = Object.entries(OF_METADATA);
/** A header's name is the same in a million records. */
const names = new Map<string, Buffer>();
const nameOf = (text: string): Buffer => {
  const known = names.get(text) ?? Buffer.from(text);
  names.set(text, known);
  return known;
};

/** An event of `source` as it is sent. Throws SyntaxError where its metadata is no JSON. */
export const toRecord = (source: string, { topic, lane, key, at, after, envelope }: Delivery): OutgoingRecord => {
  const { id, stream, version, subject, type, schemaVersion, data, recordedAt } = envelope;
  const metadata: Readonly<Record<string, unknown>> = JSON.parse(envelope.metadata);
  const headers = new Map<Buffer, Buffer>();
  const set = (name: string, value: unknown): void => {
    if (value !== undefined && value !== null) headers.set(nameOf(name), Buffer.from(String(value)));
  };
  set('ce_specversion', '1.0');
  set('ce_id', id);
  set('ce_source', sourceUri(source));
  set('ce_type', type);
  set('ce_subject', stream);
  set('ce_dataschema', `urn:taskwire:event:${type}:${schemaVersion}`);
  set('ce_sequence', version);
  set('ce_partitionkey', key);
  set('ce_person', subject);
  set('ce_recordedat', recordedAt);
  for (const [name, header] of METADATA) set(header, metadata[name]);
  set('ce_position', positionText(at));
  set('ce_predecessor', positionText(after));
  set('content-type', 'application/json');
  // Refused when it was to be appended; one that lies in the store nevertheless must not stop the feed for ever: it is
  // cut to what a broker takes and is still too large for whoever reads it.
  const value = Buffer.from(data).subarray(0, LARGEST_EVENT + 1);
  return { topic, partition: lane, key: Buffer.from(key), value, headers };
};

/** What came: an event with its place in the feed of `source`, or a stray one that is nobody's. Never throws. */
export const fromRecord = (
  source: string,
  { topic, partition, offset, timestamp }: RecordPlace,
  record: BrokerRecord,
): Delivery | Stray => {
  const headers = new Map(
    record.headers.map((header) => [text(header[0], LONGEST_HEADER), text(header[1], LONGEST_HEADER)]),
  );
  const header = (name: string): string => headers.get(name) ?? '';
  const [, schemaVersion = '0'] = /:(\d{1,9})$/.exec(header('ce_dataschema')) ?? [];
  const metadata = Object.fromEntries(METADATA.map(([name, from]) => [name, headers.get(from)]));
  const isOurs = isOf(source, headers);
  const known = identityIn(source, headers);
  const recordedAt = header('ce_recordedat');
  const envelope = {
    id: header('ce_id'),
    stream: header('ce_subject'),
    version: /^\d{1,9}$/.test(header('ce_sequence')) ? Number(header('ce_sequence')) : 0,
    subject: headers.get('ce_person') ?? null,
    type: header('ce_type'),
    schemaVersion: Number(schemaVersion),
    data: text(record.value, known === undefined ? KEPT : undefined),
    metadata: JSON.stringify(metadata),
    recordedAt: isOurs && isRecorded(recordedAt) ? recordedAt : instantAt(timestamp),
  };
  if (known === undefined) {
    const named = { topic, lane: partition, key: `record ${partition}/${offset}` };
    const place = { era: 0, tx: String(partition), position: Number(offset) + 1 };
    const error = isOurs ? 'it has no place in a feed' : `it is no event of the ${source} service`;
    const size = record.value?.length ?? 0;
    const cut = size > KEPT ? `; the first ${KEPT} of its ${size} bytes are kept here` : '';
    return { kind: 'stray', ...named, at: place, envelope, error: `${error}${cut}` };
  }
  const key = text(record.key);
  return { topic, lane: laneOf(key), key: boundedKey(key), at: known.at, after: known.after, envelope };
};

type Headers = ReadonlyMap<string, string>;
const isOf = (source: string, headers: Headers): boolean =>
  headers.get('ce_specversion') === '1.0' && headers.get('ce_source') === sourceUri(source);
/** Which event it is, and its places; undefined where it is nobody's. */
const identityIn = (source: string, headers: Headers) => {
  const id = headers.get('ce_id') ?? '';
  const [at, after] = [positionIn(headers.get('ce_position')), positionIn(headers.get('ce_predecessor'))];
  return isOf(source, headers) && id !== '' && at && after ? { id, at, after } : undefined;
};
const IDENTITY = ['ce_specversion', 'ce_source', 'ce_id', 'ce_position', 'ce_predecessor'].map((name) => ({
  name,
  bytes: nameOf(name),
}));
/** The id and place that `fromRecord` finds, at a fifth of the cost: for whoever asks that of many thousands. */
export const identityOf = (
  source: string,
  { headers }: BrokerRecord,
): { readonly id: string; readonly at: FeedPosition } | undefined => {
  const found = new Map<string, string>();
  for (const [name, value] of headers) {
    const wanted = IDENTITY.find(({ bytes }) => bytes.length === name?.length && bytes.equals(name));
    if (wanted !== undefined) found.set(wanted.name, text(value, LONGEST_HEADER));
  }
  const known = identityIn(source, found);
  return known === undefined ? undefined : { id: known.id, at: known.at };
};

/** As we write it, to the microsecond, and an instant that there is: both V8 and PostgreSQL take texts that the other does not. */
const isRecorded = (value: string): boolean =>
  /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,6}Z$/.test(value) && isInstant(`${value.slice(0, 23)}Z`);
const isInstant = (text: string): boolean => text === instantAt(Date.parse(text));

const FIRST_INSTANT = Date.parse('0001-01-01T00:00:00.000Z');
const LAST_INSTANT = Date.parse('9999-12-31T23:59:59.999Z');
/** Whatever a clock said: beyond the years that are written with four digits it said nothing. */
const instantAt = (ms: bigint | number): string =>
  new Date(ms >= FIRST_INSTANT && ms <= LAST_INSTANT ? Number(ms) : 0).toISOString();

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
/** Bytes; none of ours comes near it. */
const LONGEST_HEADER = 500;
/** Bytes of a stray that are kept for whoever looks: all of it lies on the broker, at the place that names it. */
const KEPT = 4_000;
/** As text that PostgreSQL can keep: bytes that are none stand for themselves in base64, and are no JSON either way. */
const text = (whole: Buffer | null, most = Number.POSITIVE_INFINITY): string => {
  if (whole === null) return '';
  const bytes = upTo(whole, most);
  try {
    const decoded = decoder.decode(bytes);
    if (!decoded.includes('\0')) return decoded;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // it says that the bytes are no UTF-8
  }
  return `base64:${bytes.toString('base64')}`;
};
/** No more than so many, and no piece of a letter at their end. */
const upTo = (bytes: Buffer, most: number): Buffer => {
  let end = Math.min(most, bytes.length);
  while (end > most - 4 && ((bytes[end] ?? 0) & 0b1100_0000) === 0b1000_0000) end -= 1;
  return bytes.subarray(0, end);
};
