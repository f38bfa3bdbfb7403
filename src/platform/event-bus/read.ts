/** From what was delivered to an event that a consumer can handle: parsed, known, opened, or else what is wrong with it. */
import type { Event } from '../decider.ts';
import type { EventCatalog } from '../event-store/catalog.ts';
import { openEvent } from '../event-store/codec.ts';
import { LARGEST_EVENT, type Metadata, type StoredEvent } from '../event-store/event.ts';
import type { KeyRing } from '../keys/key-ring.ts';
import { isDeeperThan } from '../schema/depth.ts';
import type { Delivery, Fault, Reading } from './delivery.ts';

const DEEPEST = 64;

/**
 * Reads deliveries for a consumer of some types. Throws only when keys cannot be asked for just now: all that is wrong
 * with a delivery itself is said of that delivery.
 */
export const readDeliveries = async (
  catalog: EventCatalog,
  keys: KeyRing,
  types: ReadonlySet<string>,
  deliveries: readonly Delivery[],
): Promise<readonly Reading[]> => {
  const looked = deliveries.map((delivery) => look(catalog, types, delivery));
  const subjects = looked.map((one) => (one.kind === 'stored' ? one.stored.subject : null));
  const keyOf = await keys.keysOf(subjects);
  return looked.map((one): Reading => {
    if (one.kind !== 'stored') return one;
    const { delivery, stored } = one;
    const { topic, key, envelope } = delivery;
    try {
      const event = { ...openEvent(catalog, stored, keyOf), topic, key, recordedAt: envelope.recordedAt };
      const broken = brokenAt(catalog, event.event);
      return broken === undefined
        ? { kind: 'event', delivery, event }
        : { kind: 'fault', delivery, fault: { cause: 'unreadable', error: broken } };
    } catch (error) {
      // Sealed with another key, or with one that is not here (yet): worth another try, and nothing of it is told.
      const what = error instanceof Error ? error.name : 'Error';
      return { kind: 'fault', delivery, fault: { cause: 'failed', error: `${what}: it cannot be opened` } };
    }
  });
};

/** Where data breaks its contract, by pointers and codes: values are nobody's to see. What was erased is as it may be. */
const brokenAt = (catalog: EventCatalog, { type, data }: Event): string | undefined => {
  if (JSON.stringify(data).includes('"erased":true')) return undefined;
  const faults = catalog.get(type)?.faults(data) ?? [];
  if (faults.length === 0) return undefined;
  const places = faults.slice(0, 5).map(({ pointer, code }) => `${pointer || '/'} ${code}`);
  return `breaks its contract: ${places.join(', ')}`;
};

type Looked = Exclude<Reading, { kind: 'event' }> | { kind: 'stored'; delivery: Delivery; stored: StoredEvent };

const look = (catalog: EventCatalog, types: ReadonlySet<string>, delivery: Delivery): Looked => {
  const { envelope, topic, key, lane, at } = delivery;
  const { type, schemaVersion } = envelope;
  const fault = (cause: Fault['cause'], error: string): Looked => ({
    kind: 'fault',
    delivery,
    fault: { cause, error },
  });
  const known = catalog.get(type);
  if (known === undefined) return fault('unknown', 'this release does not know the type');
  if (schemaVersion < 1) return fault('unreadable', 'there is no such version');
  if (schemaVersion > known.version)
    return fault('unknown', `this release knows version ${known.version}, not ${schemaVersion}`);
  if (!types.has(type)) return { kind: 'other', delivery };
  if (Buffer.byteLength(envelope.data) > LARGEST_EVENT)
    return fault('unreadable', `larger than ${LARGEST_EVENT} bytes`);
  if (isDeeperThan(envelope.data, DEEPEST)) return fault('unreadable', `more than ${DEEPEST} levels deep`);
  const data = parsed(envelope.data);
  const metadata = parsed(envelope.metadata);
  if (data === undefined || !isMetadata(metadata)) return fault('unreadable', 'not the JSON of an event');
  const { data: _data, metadata: _metadata, ...rest } = envelope;
  return { kind: 'stored', delivery, stored: { ...rest, topic, key, lane, at, data, metadata } };
};

/** The object that a text stands for; undefined where it stands for none. */
const parsed = (text: string): object | undefined => {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
};

const NAMES = ['correlationId', 'causationId', 'actor', 'requestId', 'occurredAt'] as const;
const isMetadata = (value: object | undefined): value is Metadata =>
  value !== undefined && NAMES.every((name) => name in value && typeof Reflect.get(value, name) === 'string');
