/** Figures of a store: how far it has come, and whether somebody holds its feed back. */
import { type Database, statement } from '../sql/database.ts';
import { collecting } from '../telemetry/collectors.ts';
import { gauges } from '../telemetry/metrics.ts';

const LOOK = statement(
  'feed-watch',
  `select coalesce((select position from event order by event.era desc, event.tx desc, event.position desc limit 1), 0)
     as position, pg_snapshot_xmin(pg_current_snapshot())::text as oldest,
     pg_snapshot_xmin(pg_current_snapshot()) < pg_snapshot_xmax(pg_current_snapshot()) as open`,
);
type Look = { readonly position: number; readonly oldest: string; readonly open: boolean };

/**
 * Figures for whoever asks, until the answer is called. Since when others' transactions are open is nobody's to see
 * without rights beyond a service's; so the age is the time since a look found the same one to be the oldest.
 */
export const watchFeed = (service: string, database: Database): (() => void) => {
  let seen: { readonly oldest: string; readonly at: number } | undefined;
  return collecting('feed', async () => {
    const [look] = await database.read<Look>(LOOK, []);
    if (look === undefined) return [];
    const now = performance.now();
    const { position, oldest, open } = look;
    if (!open) seen = undefined;
    else if (seen?.oldest !== oldest) seen = { oldest, at: now };
    const seconds = seen === undefined ? 0 : (now - seen.at) / 1_000;
    return [() => gauges.feedPosition.set({ service }, position), () => gauges.writeSeconds.set({ service }, seconds)];
  });
};
