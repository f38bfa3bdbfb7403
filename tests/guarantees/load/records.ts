/** What lies on the broker, compared with what is stored. */
import { openFetcher } from '../../../src/platform/event-bus/kafka/fetcher.ts';
import { readAll } from '../../../src/platform/event-bus/kafka/tail.ts';
import { type Bounds, type Figures, NONE } from '../kit/scenario.ts';
import type { DistributedInstallation } from '../kit/world.ts';

const TOPIC = 'task.events';

export const PUBLISHED: Bounds = { 'events not published': NONE, 'published out of order': NONE };

/**
 * Of each task the first copies of its events must come in the order of their versions; others may come at any time.
 * `store` is a table of what was to be published.
 */
export const publishedFigures = async (
  { cluster, sql }: DistributedInstallation,
  store = 'task_service.event',
): Promise<Figures> => {
  const fetcher = openFetcher({ bootstrapServers: cluster.bootstrap.split(',') }, 'onlooker');
  const seen = new Map<string, Set<number>>();
  let twins = 0;
  let outOfOrder = 0;
  try {
    for await (const { records } of readAll(fetcher, [TOPIC])) {
      for (const { key, headers } of records) {
        const [, sequence] = headers.find(([name]) => String(name) === 'ce_sequence') ?? [];
        const [task, version] = [String(key), Number(String(sequence))];
        const versions = seen.get(task) ?? new Set();
        seen.set(task, versions);
        if (versions.has(version)) twins += 1;
        else if (versions.size > 0 && version < Math.max(...versions)) outOfOrder += 1;
        versions.add(version);
      }
    }
  } finally {
    await fetcher.close();
  }
  const stored = await sql<{ key: string; version: number }>(`select key, version from ${store} where topic = $1`, [
    TOPIC,
  ]);
  return {
    'events not published': stored.filter(({ key, version }) => !seen.get(key)?.has(version)).length,
    'published out of order': outOfOrder,
    'published again': twins,
  };
};
