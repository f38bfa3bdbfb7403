/** What is parked is tried again, whatever it is and whoever else has something parked. */
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { openLogBus } from '../../../src/platform/event-bus/log-bus.ts';
import { laneOf } from '../../../src/platform/event-store/lane.ts';
import { until } from '../../support/until.ts';
import { SCHEMA } from '../notes.ts';
import { busBed } from './bed.ts';
import { hearing, newMood } from './heard.ts';

const TOPIC = 'note.events';
/** Of one note the lane is this process's, and those of all others are another's. */
const MINE = randomUUID();
const bed = busBed((producer, address) => {
  const bus = openLogBus({ note: { address, schema: SCHEMA, committed: producer.committed } }, 'test bus');
  return {
    ...bus,
    open: (...post) => ({ ...bus.open(...post), owned: () => [{ topic: TOPIC, lane: laneOf(MINE) }] }),
  };
});
const parked = (id: string) =>
  until(`${id} to be parked`, async () => (await bed.parked()).some(([key]) => key === id));

test('as many keys as one likes that are due to another process keep this one from none of its own', async () => {
  const mood = newMood();
  await bed.listen([hearing(mood)]);
  await bed.sayAs(MINE, mood.poison);
  await parked(MINE);
  await bed.sql(
    `insert into parked_key (consumer, source, topic, key, lane, cause, error, attempts, next_attempt_at)
     select 'test.hearing', 'note', $1, 'another ' || n, $2, 'failed', '', 1, now() - interval '1 hour'
     from generate_series(1, 25) n`,
    [TOPIC, (laneOf(MINE) + 1) % 64],
  );
  mood.cured = true;
  await bed.sql(`update parked_key set next_attempt_at = now() where key = $1`, [MINE]);
  expect(await until('it to be heard', async () => (await bed.heard()).get(MINE)?.versions)).toEqual([1]);
});

test('an error in words that PostgreSQL does not take parks its event like others', async () => {
  const [words, fails] = ['x'.repeat(491), newMood()];
  const listener = hearing(fails);
  await bed.listen([
    {
      ...listener,
      handle: (kit, events, commit) => {
        if (!fails.cured) throw new Error(`\0${words}😀 and more`); // cut within the sign
        return listener.handle(kit, events, commit);
      },
    },
  ]);
  const id = await bed.say('one');
  await parked(id);
  const [row] = await bed.sql<{ error: string }>('select error from parked_key where key = $1', [id]);
  expect(row?.error).toContain(words);
});
