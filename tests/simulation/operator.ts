/** A person at the controls: redrives and discards what is parked, while all goes wrong; repairs the rest once it is over. */
import { NO_CHANGE, touch } from '../../src/platform/event-bus/lanes.ts';
import { NOTHING, type ParkedRow, type PostRows } from './database.ts';
import type { Process } from './scheduler.ts';
import type { World } from './world.ts';

export const operate = async (world: World, process: Process): Promise<void> => {
  const { scheduler, random, config, database, happened } = world;
  for (;;) {
    await scheduler.pause(process, world.isCalm() ? 200 : random.between(200, 1_500));
    try {
      if (world.isCalm()) {
        await scheduler.call(process, 'repairs', 'write', () => repair(world));
        continue;
      }
      if (config.restores && random.chance(0.2))
        await scheduler.call(process, 'restores', 'write', () => restore(world));
      if (config.retires && random.chance(0.2)) {
        const { name } = random.pick(config.hearers);
        await scheduler.call(process, `retires ${name}`, 'write', () => database.retire(name));
        happened('retired');
      }
      if (!config.operator) continue;
      const letters = [...database.posts.values()].flatMap((rows) =>
        [...rows.parked.values()].map((row) => ({ rows, row })),
      );
      if (letters.length === 0) continue;
      const { rows, row } = random.pick(letters);
      if (random.chance(0.6)) {
        await scheduler.call(process, `redrives ${row.key}`, 'write', () => database.redrive(rows, row));
        happened('redriven by hand');
      } else await discard(world, process, rows, row);
    } catch {
      happened('an operator was refused');
    }
  }
};

/** In the steps of dead-letters.ts: looks, then throws away what it saw, unless the lane moved meanwhile. */
const discard = async (world: World, process: Process, { post }: PostRows, row: ParkedRow): Promise<void> => {
  const { scheduler, database, random, happened } = world;
  const key = { topic: row.topic, lane: row.lane, key: row.key, attempts: row.attempts };
  const standing = await scheduler.call(process, 'stands', 'read', () => database.standing(post));
  const parked = await scheduler.call(process, 'parked', 'read', () => database.parkedOf(post, key));
  const first = parked.slice(0, 1);
  if (first.length === 0) return;
  const emptied = parked.length === 1 || random.chance(0.3);
  const settle = { key, deliveries: emptied ? [] : first, emptied };
  const change = { ...NO_CHANGE, moves: [touch(standing, key)], settle };
  const verdict = await scheduler.call(process, `discards ${row.key}`, 'write', () =>
    database.commit(post, standing.life, change, { ...NOTHING, discarding: true }),
  );
  happened(`discarded: ${verdict}`);
};

/** A store goes on in another cluster; whoever writes is done by then. */
const restore = ({ stores, random, happened }: World): void => {
  const store = random.pick(stores);
  if (store.isRunning()) return;
  store.restore();
  happened('restored');
};

/** What nothing can be made of stays parked. The rest is tried again at once, where it would not be soon by itself. */
const SOON = 4_000;
const repair = ({ database, scheduler }: World): void => {
  for (const rows of database.posts.values())
    for (const row of rows.parked.values()) {
      const isHopeless = row.events[0]?.envelope.type === 'unreadable';
      const isSoon = row.next !== null && row.next <= scheduler.wall() + SOON;
      if (!isHopeless && !isSoon) database.redrive(rows, row);
    }
};
