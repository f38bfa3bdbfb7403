/** Where the public events of a write came to lie: what somebody who waits for them must know. Pure. */
import { comparePositions, type FeedPosition } from './event.ts';

/**
 * Not each event, but the last one of each lane, for whoever has dealt with that one has dealt with those before it:
 * a write of hundreds of events names 64 places of a topic at the most.
 */
export type Published = {
  readonly first: FeedPosition;
  readonly lanes: readonly LaneEnd[];
};
type LaneEnd = { readonly topic: string; readonly lane: number; readonly last: FeedPosition };

/** Whether others hear of what is said there; `<service>.events.private` is a service's own. */
export const isPublic = (topic: string): boolean => !topic.endsWith('.private');

/** undefined where none of the events is public. They may come in any order. */
export const publishedOf = (
  events: readonly { readonly topic: string; readonly lane: number; readonly at: FeedPosition }[],
): Published | undefined => {
  let first: FeedPosition | undefined;
  const lanes = new Map<string, LaneEnd>();
  for (const { topic, lane, at } of events) {
    if (!isPublic(topic)) continue;
    if (first === undefined || comparePositions(at, first) < 0) first = at;
    const name = `${topic}/${lane}`;
    const known = lanes.get(name);
    if (known === undefined || comparePositions(known.last, at) < 0) lanes.set(name, { topic, lane, last: at });
  }
  return first && { first, lanes: [...lanes.values()] };
};

/** What several commits published, as one write. */
export const together = (writes: readonly (Published | undefined)[]): Published | undefined => {
  const known = writes.filter((one) => one !== undefined);
  const ends = known.flatMap(({ lanes }) => lanes.map(({ last, ...lane }) => ({ ...lane, at: last })));
  const [first] = known.map((one) => one.first).toSorted(comparePositions);
  const published = publishedOf(ends);
  return published && first && { ...published, first };
};
