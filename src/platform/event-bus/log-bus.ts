/**
 * The bus of an installation without a broker: each consumer reads what the producers' stores publish, in commit order.
 * A source is one part of this bus, and the cursor its place in the feed. Nothing is copied, so nothing can be lost
 * between store and bus; what a consumer was slow to read waits where it lies.
 *
 * Looks are adaptive: at once after a commit of this process, soon after something came, ever more rarely while nothing
 * does. Rejected: NOTIFY within the append, which serializes all commits of the server (a tenth of the throughput).
 */
import { FEED_START, type FeedPosition, positionText } from '../event-store/event.ts';
import { boundedKey, laneOf } from '../event-store/lane.ts';
import { createSignal, type Signal } from '../lifecycle/signal.ts';
import { type DatabaseAddress, EVENT_READER } from '../sql/connection.ts';
import { type Database, openDatabase, statement } from '../sql/database.ts';
import { type BusReader, type EventBus, type Lease, MOST_COUNTED, NOBODYS } from './bus.ts';
import type { Delivery, Envelope } from './delivery.ts';
import { chain } from './lanes.ts';
import { createPatience } from './patience.ts';

/** Where a producer's store lies; `committed` is given when this process wrote to it. */
export type Source = {
  readonly address: DatabaseAddress;
  readonly schema: string;
  readonly committed?: Signal | undefined;
};

const SLICE = 200;
const OTHERS_TURN = 1_000;
const STATEMENT_TIMEOUT = 2_000;

const PUBLISHED = statement('published', 'select * from published($1, $2::xid8, $3, $4)');
const END = statement('published-end', 'select * from published_end()');
const LAG = statement('published-lag', 'select events, oldest, now() as now from published_lag($1, $2::xid8, $3, $4)');

type PublishedRow = Envelope & FeedPosition & { readonly topic: string; readonly key: string };

/**
 * The bus over these sources, by name; throws for any other. A source is connected to when it is first read, over one
 * connection with the rights of an event reader.
 */
export const openLogBus = (sources: Readonly<Record<string, Source>>, applicationName: string): EventBus => {
  const opened = new Map<string, Database>();
  const sourceOf = (name: string): Source => {
    const source = sources[name];
    if (source === undefined) throw new Error(`there is no source ${name} on this bus`);
    return source;
  };
  const databaseOf = (name: string): Database => {
    const known = opened.get(name);
    if (known) return known;
    const { address, schema } = sourceOf(name);
    const rights = { schema, role: EVENT_READER, statementTimeout: STATEMENT_TIMEOUT };
    const database = openDatabase({ ...rights, address, applicationName, connections: 1 });
    opened.set(name, database);
    return database;
  };

  const open = (source: string, topics: readonly string[], lease: Lease): BusReader => {
    const database = databaseOf(source);
    const wanted = new Set(topics);
    const listener = (sourceOf(source).committed ?? createSignal()).listen();
    const read = ({ era, tx, position }: FeedPosition) =>
      database.write<PublishedRow>(PUBLISHED, [era, tx, position, SLICE]);
    const patience = createPatience(listener);
    /** Another copy may reach the source that this one does not. */
    const stepAside = async (error: unknown): Promise<never> => {
      await lease.release().catch(() => undefined); // it runs out by itself
      throw error;
    };
    /** Behind a full slice there is more: it is fetched while the slice is handled. */
    let ahead: { readonly from: string; readonly rows: ReturnType<typeof read> } | undefined;
    return {
      holds: async () => {
        const mine = await lease.acquire();
        if (!mine) await listener.wait(OTHERS_TURN);
        return mine;
      },
      next: async (standing) => {
        const from = standing.cursors.get(PART);
        const fetched = ahead !== undefined && ahead.from === from ? ahead.rows : undefined;
        ahead = undefined;
        const rows = await (fetched ?? read(from === undefined ? standing.start : placeOf(from))).catch(stepAside);
        const last = rows.at(-1);
        if (last === undefined) {
          await patience.wait();
          return { deliveries: [], cursors: [] };
        }
        patience.reset();
        if (rows.length === SLICE) {
          ahead = { from: positionText(last), rows: read(last) };
          ahead.rows.catch(() => undefined); // told to whoever asks for it
        }
        const events = rows.filter(({ topic }) => wanted.has(topic)).map(eventOf);
        return { deliveries: chain(standing, events), cursors: [{ part: PART, from, to: positionText(last) }] };
      },
      close: () => lease.release(),
    };
  };

  return {
    open: ({ source }, topics, lease) => open(source, topics, lease),
    replay: (source, topics) => open(source, topics, NOBODYS),
    end: async (source) => (await databaseOf(source).write<FeedPosition>(END, []))[0] ?? FEED_START,
    lag: async (source, { cursors, start }) => {
      const cursor = cursors.get(PART);
      const { era, tx, position } = cursor === undefined ? start : placeOf(cursor);
      const [row] = await databaseOf(source).read<{ events: number; oldest: string | null; now: string }>(LAG, [
        era,
        tx,
        position,
        MOST_COUNTED,
      ]);
      const oldest = row?.oldest ?? null;
      const seconds = row === undefined || oldest === null ? 0 : (Date.parse(row.now) - Date.parse(oldest)) / 1000;
      return { events: row?.events ?? 0, seconds: Math.max(0, seconds) };
    },
    close: async () => {
      await Promise.all([...opened.values()].map((database) => database.close()));
    },
  };
};

/** The one part that a source is on this bus. */
const PART = 'log';
const placeOf = (cursor: string): FeedPosition => {
  const [era = '', tx = '', position = ''] = cursor.split(':');
  return { era: Number(era), tx, position: Number(position) };
};

/** The lane follows from the key here, whatever is written beside it: a key that lay in two could not be parked. */
const eventOf = ({ topic, key, era, tx, position, ...envelope }: PublishedRow): Omit<Delivery, 'after'> => ({
  topic,
  key: boundedKey(key),
  lane: laneOf(key),
  at: { era, tx, position },
  envelope,
});
