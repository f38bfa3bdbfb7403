/** taskwire events verify, restore and republish: the store beside what the broker holds of it. */
import { readConfig } from '#platform/config/config.ts';
import { topicsOfSource } from '#platform/event-bus/delivery.ts';
import { addTo, type Difference, type Digests, differencesOf } from '#platform/event-bus/digest.ts';
import { readFeed } from '#platform/event-bus/feed.ts';
import { readCheckpoint, rewindRelay } from '#platform/event-bus/relaying.ts';
import { endRestore, isRunning, restoreFromBus } from '#platform/event-bus/restore.ts';
import { refuseSetBack } from '#platform/event-bus/set-back.ts';
import { comparePositions, FEED_START } from '#platform/event-store/event.ts';
import { deriveAgain, type TakenByOthers } from '#platform/read-models/derive-again.ts';
import { type Database, openDatabase, type Session } from '#platform/sql/database.ts';
import { SERVICES, topicsOf, whereIs } from '../installation.ts';
import { createMeter } from './meter.ts';
import { counted, endWithReader, say, sayJson, table, UsageError } from './output.ts';
import { brokerOf } from './topics.ts';
import { type OpenedService, withMigratedDatabase, withServices } from './with-stores.ts';

/** Which bus is meant is told, and not asked: there is one. */
type Options = { readonly service: string; readonly json?: boolean };
const SLICE = 2_000;
const SHOWN = 20;

const eventsOf = async (service: string) => {
  const settings = brokerOf(readConfig('gateway'));
  const { readAllEvents } = await import('#platform/event-bus/kafka/all-events.ts');
  return () => readAllEvents(settings, service);
};

type Verified = {
  readonly service: string;
  readonly events: number;
  readonly streams: number;
  /** Committed, and not published yet. */
  readonly unpublished: number;
  readonly differences: readonly Difference[];
};

export const eventsVerify = ({ service, json }: Partial<Options>): Promise<void> => {
  endWithReader();
  return withServices(async ({ services }) => {
    const verified: Verified[] = [];
    for (const one of services.filter((each) => service === undefined || each.service === service))
      verified.push(await verify(one));
    const differ = verified.filter(({ differences }) => differences.length > 0);
    if (json) sayJson(verified);
    else {
      const rows = verified.map(({ service: name, events, streams, unpublished, differences }) => [
        name,
        counted(events, 'event'),
        counted(streams, 'stream'),
        String(unpublished),
        differences.length === 0 ? 'the same' : counted(differences.length, 'stream differs', 'streams differ'),
      ]);
      say(...table(['SERVICE', 'EVENTS', 'STREAMS', 'UNPUBLISHED', 'STORE AND BUS ARE'], rows));
      for (const { differences } of differ)
        for (const { stream, here, there } of differences.slice(0, SHOWN))
          say(`${stream}  ${counted(here, 'event')} in the store, ${there} on the bus`);
    }
    const names = differ.map((one) => one.service).join(', ');
    if (differ.length > 0) throw new Error(`the broker holds something else than the store of ${names}`);
  });
};

/** All that the broker holds must be in the store; of the store, what the relay has not come to yet is not on the broker. */
const verify = async ({ service, kit }: OpenedService): Promise<Verified> => {
  const { position: published } = await readCheckpoint(kit.database);
  const [here, there]: [Digests, Digests] = [new Map(), new Map()];
  let [events, unpublished] = [0, 0];
  const ahead = new Set<string>();
  const meter = createMeter(service, process.stderr);
  try {
    for await (const piece of (await eventsOf(service))())
      for (const event of piece) {
        addTo(there, event);
        if (comparePositions(event.at, published) > 0) ahead.add(event.envelope.id); // acknowledged, and not noted yet
      }
    for (let after = FEED_START; ; ) {
      const slice = await readFeed(kit.database, after, SLICE);
      for (const event of slice) {
        if (comparePositions(event.at, published) > 0 && !ahead.has(event.envelope.id)) unpublished += 1;
        else addTo(here, event);
      }
      events += slice.length;
      meter.show({ step: 'reading the store', done: events, total: events });
      const last = slice.at(-1);
      if (last === undefined) break;
      after = last.at;
    }
  } finally {
    meter.end();
  }
  return { service, events, streams: here.size, unpublished, differences: differencesOf(here, there) };
};

export const eventsRestore = async ({ service, json }: Options): Promise<void> => {
  const source = await eventsOf(service);
  const meter = createMeter(service, process.stderr);
  const { onBus, inserted, streams } = await withOwner(service, (session) =>
    restoreFromBus(session, source, (step, events) =>
      meter.show({ step: STEPS[step], done: events, total: events }),
    ).finally(meter.end),
  );
  const taken = await withServices(({ services }) => deriveAll(services, service));
  if (json) return sayJson({ service, onBus, inserted, streams: streams.length, taken });
  say(
    `${service}: ${counted(inserted, 'event')} of ${counted(streams.length, 'stream')} came back; the broker holds ${counted(onBus, 'event')}`,
    ...taken.map((one) => `somebody else has ${one.scope} of ${one.id} by now: it is theirs`),
    'What others made of these events is theirs still. Passwords come from the database\u2019s own backup: who came after it must set a new one.',
  );
};
const STEPS = { look: 'comparing', insert: 'bringing back', match: 'comparing the other way' } as const;

export const eventsRepublish = async ({ service, json }: Options): Promise<void> => {
  const config = readConfig('gateway');
  const settings = brokerOf(config);
  const [{ openKafkaBus }, { emptyTopics }] = await Promise.all([
    import('#platform/event-bus/kafka/kafka-bus.ts'),
    import('#platform/event-bus/kafka/topics.ts'),
  ]);
  const topics = topicsOf(config).filter(({ name }) => topicsOfSource(service).includes(name));
  const bus = openKafkaBus(settings);
  try {
    await withOwner(service, async (_session, owner) => {
      await refuseSetBack(owner, bus, service);
      await rewindRelay(owner); // first: what is published twice does no harm
      await emptyTopics(settings, topics);
    });
  } finally {
    await bus.close();
  }
  if (json) return sayJson({ service, topics: topics.map(({ name }) => name) });
  say(
    `${service}: ${topics.map(({ name }) => name).join(' and ')} are empty; once the service runs, it publishes all that it ever said.`,
    'Nobody hears anything twice. How far it is: /health/events, and `taskwire events verify --from kafka`.',
  );
};

/** Runs as the owner of a service's store. Refuses while one of its processes is connected. */
const withOwner = <T>(service: string, run: (session: Session, owner: Database) => Promise<T>): Promise<T> =>
  withMigratedDatabase(async (config, shared) => {
    const described = SERVICES.find(({ name }) => name === service);
    if (described === undefined) throw new UsageError(`there is no service ${service}`);
    const { address } = whereIs(described, config, shared);
    const rights = { address, schema: described.schema, statementTimeout: 0, applicationName: 'taskwire restore' };
    const owner: Database = openDatabase({ ...rights, connections: 1 });
    const session = await owner.openSession();
    try {
      if (await isRunning(session, service))
        throw new Error(`the ${service} service runs: stop it first, with all its copies`);
      return await run(session, owner);
    } finally {
      await session.close();
      await owner.close();
    }
  });

const deriveAll = async (services: readonly OpenedService[], service: string): Promise<readonly TakenByOthers[]> => {
  const opened = services.find((one) => one.service === service);
  const described = SERVICES.find(({ name }) => name === service);
  if (opened === undefined || described === undefined) throw new UsageError(`there is no service ${service}`);
  const { database, commands } = opened.kit;
  const taken = await deriveAgain(database, commands, described.readModels);
  await endRestore(database);
  return taken;
};
