/**
 * The one place where events are written and read: personal fields are sealed with their subject's key on the way in,
 * and opened, then upcast, on the way out. AES-256-GCM; each value is bound to its event's id and its place in it, so
 * that a sealed value copied elsewhere does not open. A sealed value marks itself, so that it is found again whatever
 * the schema of its day was.
 */
import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto';
import type { Erased, Event } from '../decider.ts';
import { freshBytes } from '../keys/random.ts';
import type { CompiledEvent, EventCatalog, PersonalTree } from './catalog.ts';
import { LARGEST_EVENT, type RecordedEvent, type SealedEvent, type StoredEvent, streamId } from './event.ts';

/** The key that seals a subject's fields, or that there was one. None at all means that the keys were lost, not erased. */
export type SubjectKey = KeyObject | 'destroyed';
type KeyOf = (subject: string) => SubjectKey | undefined;

const IV_BYTES = 12;
const TAG_BYTES = 16;
type Sealed = { readonly $sealed: string };
const isSealed = (value: object): value is Sealed => '$sealed' in value && typeof value.$sealed === 'string';
const ERASED: Erased = { erased: true };

const seal = (value: unknown, key: KeyObject, place: string): Sealed => {
  const iv = freshBytes(IV_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(place));
  const text = cipher.update(JSON.stringify(value), 'utf8');
  return { $sealed: Buffer.concat([iv, text, cipher.final(), cipher.getAuthTag()]).toString('base64url') };
};

const unseal = ({ $sealed }: Sealed, key: KeyObject, place: string): unknown => {
  const bytes = Buffer.from($sealed, 'base64url');
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, IV_BYTES))
    .setAAD(Buffer.from(place))
    .setAuthTag(bytes.subarray(-TAG_BYTES));
  const text = decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES));
  decipher.final(); // throws unless it is what was sealed
  return JSON.parse(text.toString());
};

/**
 * Checks the data of a new event against its schema and seals what is personal. Throws, for it is a bug of ours, when
 * a field is undeclared or invalid, when there is something personal and nobody whose key would seal it, or when it is
 * larger than what travels.
 */
export const sealEvent = (compiled: CompiledEvent, event: Event, id: string, key: KeyObject | undefined): unknown => {
  const sealed = sealFields(compiled, event, id, key);
  const size = Buffer.byteLength(JSON.stringify(sealed)); // some 2 µs
  if (size > LARGEST_EVENT) throw new Error(`${event.type} is larger than ${LARGEST_EVENT} bytes: ${size}`);
  return sealed;
};

const sealFields = (compiled: CompiledEvent, event: Event, id: string, key: KeyObject | undefined): unknown => {
  const faults = compiled.faults(event.data);
  if (faults.length > 0) throw new Error(`${event.type} breaks its contract: ${JSON.stringify(faults)}`);
  if (compiled.personal === undefined) return event.data;
  if (key === undefined) throw new Error(`${event.type} has personal fields, but no subject whose key seals them`);
  return sealTree(event.data, compiled.personal, key, id);
};

const sealTree = (value: unknown, tree: PersonalTree, key: KeyObject, place: string): unknown => {
  if (tree === true) return seal(value, key, place);
  if (!isObject(value)) return value;
  const copy = { ...value };
  for (const [field, inner] of Object.entries(tree)) {
    if (field in copy) copy[field] = sealTree(copy[field], inner, key, `${place}/${field}`);
  }
  return copy;
};

/**
 * Events opened and brought to today's schema. Throws when a sealed field has no key, not even a destroyed one: then the
 * keys were not restored with the events, and to call the field erased would hide that for good.
 */
export const openEvent = (catalog: EventCatalog, stored: StoredEvent, keyOf: KeyOf): RecordedEvent => {
  const { id, stream, version, metadata } = stored;
  const { occurredAt, actor } = metadata;
  const meta = { streamId: streamId(stream), version, occurredAt, actor };
  return { id, event: openSealed(catalog, stored, keyOf), meta, metadata };
};

/** The same without what stands beside the event. */
export const openSealed = (catalog: EventCatalog, stored: SealedEvent, keyOf: KeyOf): Event => {
  const compiled = catalog.get(stored.type);
  if (compiled === undefined || stored.schemaVersion > compiled.version) throw new UnknownEvent(stored);
  const key = stored.subject === null ? undefined : keyOf(stored.subject);
  let data = open(stored.data, key, stored.id);
  for (const upcast of compiled.upcasts.slice(stored.schemaVersion - 1)) data = upcast(isObject(data) ? data : {});
  return { type: stored.type, data };
};

const open = (value: unknown, key: SubjectKey | undefined, place: string): unknown => {
  if (Array.isArray(value)) return value.map((item, index) => open(item, key, `${place}/${index}`));
  if (!isObject(value)) return value;
  if (isSealed(value)) {
    if (key === undefined) throw new Error(`${place} is sealed, and its subject has no key: restore the keys`);
    return key === 'destroyed' ? ERASED : unseal(value, key, place);
  }
  const copy: Record<string, unknown> = {};
  for (const field of Object.keys(value)) {
    const inner = value[field];
    copy[field] = isObject(inner) ? open(inner, key, `${place}/${field}`) : inner;
  }
  return copy;
};

/** A type or version that this release does not know: it was written by a newer one. */
export class UnknownEvent extends Error {
  override readonly name = 'UnknownEvent';
  constructor({ type, schemaVersion, stream, version }: SealedEvent) {
    super(`this release does not know ${type} v${schemaVersion} (${stream}@${version})`);
  }
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
