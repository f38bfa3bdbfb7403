/** taskwire events show and tail: events as they lie in the stores, of one stream or the newest of all. */
import { setTimeout as pause } from 'node:timers/promises';
import { FEED_START, type FeedPosition, type StoredEvent } from '#platform/event-store/event.ts';
import type { EventStore } from '#platform/event-store/store.ts';
import { endWithReader, say, sayJson, shown, UsageError } from './output.ts';
import { type NamedStore, withStores } from './with-stores.ts';

type Options = { readonly open?: boolean; readonly json?: boolean };

export const eventsShow = (stream: string, { json, open }: Options): Promise<void> => {
  endWithReader();
  return withStores(async (stores) => {
    const found = await Promise.all(stores.map(async ({ store }) => ({ store, events: await store.sealed(stream) })));
    const holder = found.find(({ events }) => events.length > 0);
    if (holder === undefined) throw new Error(`there is no stream ${stream}`);
    const told: Told[] = [];
    for (const event of holder.events) told.push(await tellOf(holder.store, event, open));
    if (json) sayJson(told);
    else say(...told.map(lineOf));
  });
};

export const eventsTail = ({
  lines,
  follow,
  open,
  json,
}: Options & { readonly lines: string; readonly follow?: boolean }): Promise<void> => {
  const count = Number(lines);
  if (!Number.isInteger(count) || count < 0) throw new UsageError('--lines must be a whole number');
  endWithReader();
  const print = async (store: EventStore, event: StoredEvent): Promise<void> => {
    const told = await tellOf(store, event, open);
    say(json ? JSON.stringify(told) : lineOf(told));
  };
  return withStores(async (stores) => {
    const tails = await Promise.all(stores.map((one) => newest(one, count)));
    const recent = tails.flatMap(({ store, events }) => events.map((event) => ({ store, event })));
    recent.sort((a, b) => instantKey(a.event) - instantKey(b.event));
    for (const { store, event } of recent.slice(-count || recent.length)) await print(store, event);
    let positions = tails;
    while (follow) {
      await pause(200);
      positions = await Promise.all(
        positions.map(async ({ store, at }) => {
          const events = await store.feed(at, 500);
          for (const event of events) await print(store, event);
          return { store, events, at: events.at(-1)?.at ?? at };
        }),
      );
    }
  });
};

/** For merging several services' events; within a service their own order stays, for sorting is stable. */
const instantKey = ({ recordedAt }: StoredEvent): number => Date.parse(recordedAt);

type Tail = { readonly store: EventStore; readonly events: readonly StoredEvent[]; readonly at: FeedPosition };
const newest = async ({ store }: NamedStore, count: number): Promise<Tail> => {
  const events = await store.newest(Math.max(count, 1));
  return { store, events: count > 0 ? events : [], at: events.at(-1)?.at ?? FEED_START };
};

/** As a command tells it: without where it lies on the bus. */
type Told = Pick<
  StoredEvent,
  'id' | 'stream' | 'version' | 'type' | 'schemaVersion' | 'recordedAt' | 'metadata' | 'data'
>;
const tellOf = async (store: EventStore, event: StoredEvent, open = false): Promise<Told> => {
  const { id, stream, version, type, schemaVersion, recordedAt, metadata } = event;
  const [opened] = open ? await store.open([event]) : [];
  const data = opened ? opened.event.data : event.data;
  return { id, stream, version, type, schemaVersion, recordedAt, metadata, data };
};
const lineOf = ({ recordedAt, stream, version, type, data, metadata }: Told): string =>
  `${recordedAt}  ${stream}@${version}  ${type}  ${shown(data)}  by ${metadata.actor}`;
