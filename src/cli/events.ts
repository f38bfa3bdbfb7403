import { setTimeout as pause } from 'node:timers/promises';
import { FEED_START, type FeedPosition, type StoredEvent } from '#platform/event-store/event.ts';
import type { EventStore } from '#platform/event-store/store.ts';
import { endWithReader, shown, UsageError } from './output.ts';
import { type NamedStore, withStores } from './with-stores.ts';

type Options = { readonly open?: boolean };

export const eventsShow = (stream: string, options: Options): Promise<void> => {
  endWithReader();
  return withStores(async (stores) => {
    const found = await Promise.all(stores.map(async ({ store }) => ({ store, events: await store.sealed(stream) })));
    const holder = found.find(({ events }) => events.length > 0);
    if (holder === undefined) throw new Error(`there is no stream ${stream}`);
    for (const event of holder.events) console.log(await line(holder.store, event, options));
  });
};

export const eventsTail = ({
  lines,
  follow,
  ...options
}: Options & { readonly lines: string; readonly follow?: boolean }): Promise<void> => {
  const count = Number(lines);
  if (!Number.isInteger(count) || count < 0) throw new UsageError('--lines must be a whole number');
  endWithReader();
  return withStores(async (stores) => {
    const tails = await Promise.all(stores.map((one) => newest(one, count)));
    const recent = tails.flatMap(({ store, events }) => events.map((event) => ({ store, event })));
    recent.sort((a, b) => instantKey(a.event) - instantKey(b.event));
    for (const { store, event } of recent.slice(-count || recent.length))
      console.log(await line(store, event, options));
    let positions = tails;
    while (follow) {
      await pause(200);
      positions = await Promise.all(
        positions.map(async ({ store, at }) => {
          const events = await store.feed(at, 500);
          for (const event of events) console.log(await line(store, event, options));
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

const line = async (store: EventStore, event: StoredEvent, { open }: Options): Promise<string> => {
  const [opened] = open ? await store.open([event]) : [];
  const data = opened ? opened.event.data : event.data;
  return `${event.recordedAt}  ${event.stream}@${event.version}  ${event.type}  ${shown(data)}  by ${event.metadata.actor}`;
};
