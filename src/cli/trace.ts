/** taskwire events trace: what one request led to, over all services, as far as it has come. */

import { parkedAmong } from '#platform/event-bus/dead-letters.ts';
import { laneAt, type Standing } from '#platform/event-bus/lanes.ts';
import { registeredPosts } from '#platform/event-bus/overview.ts';
import { readStanding } from '#platform/event-bus/positions.ts';
import { comparePositions, type StoredEvent, streamId } from '#platform/event-store/event.ts';
import { dueOf } from '#platform/scheduling/schedule.ts';
import { formats } from '#platform/schema/formats.ts';
import { counted, endWithReader, say, sayJson } from './output.ts';
import { type Handling, type Traced, traceLines } from './trace-tree.ts';
import { type OpenedService, withServices } from './with-stores.ts';

type Options = { readonly open?: boolean; readonly json?: boolean };

/** Of each store: who began more than that is not read line by line. */
const MOST = 1_000;

export const eventsTrace = (what: string, { open = false, json = false }: Options): Promise<void> => {
  endWithReader();
  return withServices(async ({ services }) => {
    const { correlationId, others } = await correlationOf(services, what);
    const found = (await Promise.all(services.map((one) => tracedOf(one, correlationId, open)))).flat();
    const traced = found.toSorted((a, b) => Date.parse(a.event.recordedAt) - Date.parse(b.event.recordedAt));
    const handlings = (await Promise.all(services.map((one) => handlingsOf(one, traced)))).flat();
    if (json) return sayJson(jsonOf(correlationId, traced, handlings));
    say(...traceLines(correlationId, traced, handlings));
    const parked = handlings.find(({ outcome }) => outcome.kind === 'parked');
    if (parked) say('', 'What is parked, and what can be done: taskwire dead-letters list');
    if (others > 0) say('', `${counted(others, 'other request')} changed ${what} too: taskwire events show ${what}`);
    if (services.some(({ service }) => found.filter((one) => one.service === service).length >= MOST))
      say('', `Of each service the first ${MOST} events are shown`);
  });
};

/** Of a request's id as it is, of an event's id or a stream as it says. `others`: requests that changed the stream too. */
const correlationOf = async (services: readonly OpenedService[], what: string) => {
  const stores = services.map(({ kit }) => kit.commands.store);
  if (formats.uuid(what.toLowerCase())) {
    const correlated = await Promise.all(stores.map((store) => store.correlated(what, 1)));
    if (correlated.flat().length > 0) return { correlationId: what.toLowerCase(), others: 0 };
    const event = (await Promise.all(stores.map((store) => store.find(what)))).find((one) => one !== undefined);
    if (event) return { correlationId: event.metadata.correlationId, others: 0 };
  }
  const [, stream = what, version] = /^(.+)@(\d+)$/.exec(what) ?? [];
  const events = (await Promise.all(stores.map((store) => store.sealed(stream)))).flat();
  const meant = version === undefined ? events[0] : events.find((one) => one.version === Number(version));
  if (meant === undefined) throw nothingFound(what);
  const requests = new Set(events.map(({ metadata }) => metadata.correlationId));
  return { correlationId: meant.metadata.correlationId, others: version === undefined ? requests.size - 1 : 0 };
};

const nothingFound = (what: string): Error =>
  new Error(
    `no event is known of ${what}. It may be the X-Request-Id of an answer, the id of an event, a stream, or one of its ` +
      'events such as task-01939d5e-…@3. A request that was refused, or that only read, leaves none',
  );

const tracedOf = async (
  { service, kit }: OpenedService,
  correlationId: string,
  open: boolean,
): Promise<readonly Traced[]> => {
  const { store } = kit.commands;
  const events = await store.correlated(correlationId, MOST);
  const due = await dueOf(kit.database, [...new Set(events.map(({ stream }) => streamId(stream)))]);
  return Promise.all(
    events.map(async (event): Promise<Traced> => {
      const last = events.findLast(({ stream }) => stream === event.stream) === event;
      const dueAt = last ? due.get(streamId(event.stream)) : undefined;
      return { service, event, dueAt, data: open ? (await store.open([event]))[0]?.event.data : undefined };
    }),
  );
};

/** What a service's consumers made of events: of those that they hear, and are not too old for them. */
const handlingsOf = async (
  { kit, consumers }: OpenedService,
  traced: readonly Traced[],
): Promise<readonly Handling[]> => {
  const ids = traced.map(({ event }) => event.id);
  const parked = await parkedAmong(kit.database, ids);
  const told: Handling[] = parked.map(({ consumer, id, cause, error, isFirst, key }) => ({
    consumer,
    eventId: id,
    outcome: { kind: 'parked', cause, error, isFirst, key },
  }));
  for (const { consumer, source } of await registeredPosts(kit.database)) {
    const types = consumers.find(({ name }) => name === consumer)?.types ?? [];
    const heard = traced.filter(({ service, event }) => service === source && types.includes(event.type));
    if (source === null || heard.length === 0) continue;
    const standing = await readStanding(kit.database, { consumer, source });
    for (const { event } of heard) {
      const isTold = told.some((one) => one.consumer === consumer && one.eventId === event.id);
      const kind = isTold ? undefined : comeTo(standing, event);
      if (kind) told.push({ consumer, eventId: event.id, outcome: { kind } });
    }
  }
  return told;
};

const comeTo = (standing: Standing, { at, topic, lane }: StoredEvent): 'heard' | 'ahead' | undefined => {
  if (comparePositions(at, standing.start) <= 0) return undefined;
  return comparePositions(at, laneAt(standing, topic, lane).position) <= 0 ? 'heard' : 'ahead';
};

const jsonOf = (correlationId: string, traced: readonly Traced[], handlings: readonly Handling[]): object => ({
  correlationId,
  events: traced.map(
    ({ service, dueAt, data, event: { id, stream, version, type, schemaVersion, metadata, recordedAt } }) => ({
      id,
      service,
      stream,
      version,
      type,
      schemaVersion,
      recordedAt,
      actor: metadata.actor,
      causationId: metadata.causationId,
      dueAt,
      data,
    }),
  ),
  handlings: handlings.map(({ outcome, ...which }) => ({ ...which, ...outcome })),
});
