/** All that a source has ever put on the broker, each event once: its first copy, for later ones are twins. */
import { comparePositions, type FeedPosition } from '../../event-store/event.ts';
import type { Delivery } from '../delivery.ts';
import { topicsOfSource } from '../delivery.ts';
import { laneName } from '../lanes.ts';
import type { KafkaSettings } from './client.ts';
import { fromRecord } from './cloud-event.ts';
import { openFetcher } from './fetcher.ts';
import { readAll } from './tail.ts';

/** Piece by piece, each lane in its order; up to what the broker holds when this is asked. Rejects with BrokerUnavailable. */
export const readAllEvents = async function* (
  settings: KafkaSettings,
  source: string,
): AsyncGenerator<readonly Delivery[]> {
  const fetcher = openFetcher(settings, 'taskwire-restore');
  const ends = new Map<string, FeedPosition>();
  try {
    for await (const { topic, partition, records } of readAll(fetcher, topicsOfSource(source))) {
      const events: Delivery[] = [];
      for (const record of records) {
        const event = fromRecord(source, { topic, partition, ...record }, record);
        if ('kind' in event) continue; // nobody's
        const name = laneName(topic, event.lane);
        const end = ends.get(name);
        if (end !== undefined && comparePositions(event.at, end) <= 0) continue;
        ends.set(name, event.at);
        events.push(event);
      }
      yield events;
    }
  } finally {
    await fetcher.close();
  }
};
