/** What every bus promises to those who make a projection anew from it. Names no adapter. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Consumer } from '../../../src/platform/event-bus/consumer.ts';
import { readStanding } from '../../../src/platform/event-bus/positions.ts';
import { compileCatalog } from '../../../src/platform/event-store/catalog.ts';
import { rebuildProjection, verifyProjection } from '../../../src/platform/read-models/rebuild-projection.ts';
import { refusalOf } from '../../../src/platform/resilience/refusal.ts';
import { type Database, openDatabase } from '../../../src/platform/sql/database.ts';
import { until } from '../../support/until.ts';
import { upTo } from '../bed.ts';
import { NOTE_EVENTS, SCHEMA } from '../notes.ts';
import type { BusBed, Listening } from './bed.ts';
import { echoing, hearing, LISTENER, newMood } from './heard.ts';

export const rebuildSuite = (bed: BusBed): void => {
  let owner: Database;
  beforeAll(() => {
    const what = { schema: LISTENER, statementTimeout: 0, applicationName: 'test', connections: 1 };
    owner = openDatabase({ ...what, address: bed.address() });
  });
  afterAll(() => owner.close());

  const tools = ({ kit, bus }: Listening, consumer: Consumer) => ({
    database: owner,
    bus,
    consumer,
    opening: { keys: kit.commands.keys, catalog: compileCatalog(NOTE_EVENTS) },
  });
  const hears = (id: string, count: number) =>
    until(`${count} events of ${id}`, async () => (await bed.heard()).get(id)?.versions.length === count);
  /** No order is promised over keys: the last that was said may be heard before others. */
  const hearsAll = ({ kit, bus }: Listening, { name }: Consumer) =>
    until('all to be heard', async () => {
      const standing = await readStanding(kit.database, { consumer: name, source: 'note' });
      return standing.cursors.size > 0 && (await bus.lag('note', standing)).events === 0;
    });
  const heard = async () => [...(await bed.heard()).values()].toSorted((a, b) => (a.id < b.id ? -1 : 1));

  describe('a projection that is made anew from the bus', () => {
    test('equals the one that served, while it is written all the time, and serves in its place', async () => {
      const consumer = hearing();
      const listening = await bed.listen([consumer]);
      const ids = await Promise.all(upTo(40).map(() => bed.say('one', 'two')));
      await hears(ids[0] ?? '', 2);
      let writing = true;
      const writer = async () => {
        while (writing) for (const id of ids.slice(0, 10)) await bed.extend(id, 'more');
      };
      const written = Promise.all([writer(), bed.say('new'), bed.say('newer')]);
      // A broker that is slow to answer for half a second may cost the switch its connection; the old one serves on then.
      const { held, events } = await until('the new one to serve', () =>
        rebuildProjection(tools(listening, consumer)).catch((error) =>
          refusalOf(error) === 'unavailable' ? undefined : Promise.reject(error),
        ),
      );
      await sleep(100);
      writing = false;
      const [, last] = await written;
      await hears(last ?? '', 1);
      await bed.extend(last ?? '', 'and on');
      await hears(last ?? '', 2);
      expect(held).toBeLessThan(1_000);
      expect(events).toBeGreaterThanOrEqual(80);
      const total = await bed.sql<{ count: number }>(`select count(*)::integer as count from ${SCHEMA}.event`);
      await until('all of it to be heard', async () => {
        const rows = await heard();
        return rows.reduce((sum, { versions }) => sum + versions.length, 0) === total[0]?.count;
      });
      for (const { versions } of await heard()) expect(versions).toEqual(upTo(versions.length));
      expect(await verifyProjection(tools(listening, consumer))).toEqual([]);
    });

    test('mends what was changed behind its back, and its fault was told before', async () => {
      const consumer = hearing();
      const listening = await bed.listen([consumer]);
      const [one, two, three] = [await bed.say('one'), await bed.say('two'), await bed.say('three')];
      await hears(three, 1);
      await hearsAll(listening, consumer);
      const before = await heard();
      await bed.sql(`update heard set words = 'lies' where id = $1`, [one]);
      await bed.sql('delete from heard where id = $1', [two]);
      await bed.sql(`insert into heard values ('00000000-0000-7000-8000-000000000000', '[1]', 'nobody said so')`);
      const told = await verifyProjection(tools(listening, consumer));
      expect(told.toSorted((a, b) => (a.fault < b.fault ? -1 : 1))).toEqual([
        { id: one, fault: 'different' },
        { id: two, fault: 'missing' },
        { id: '00000000-0000-7000-8000-000000000000', fault: 'surplus' },
      ]);
      await rebuildProjection(tools(listening, consumer));
      expect(await heard()).toEqual(before);
      const leftovers = await bed.sql(`select relname from pg_class where relname like 'heard\\_%' and relkind = 'r'`);
      expect(leftovers).toEqual([]);
    });

    test('leaves out what is parked, and has it once, when it is dealt with later', async () => {
      const mood = newMood();
      const consumer = hearing(mood);
      const listening = await bed.listen([consumer]);
      const bad = await bed.say('fine', mood.poison, 'after');
      const good = await bed.say('good');
      await hears(good, 1);
      await until('the followers to be parked', async () => (await bed.parked())[0]?.[2] === 2);
      await rebuildProjection(tools(listening, consumer));
      expect((await bed.heard()).get(bad)?.versions).toEqual([1]);
      mood.cured = true;
      await bed.hurry();
      await hears(bad, 3);
      expect(await verifyProjection(tools(listening, consumer))).toEqual([]);
      await rebuildProjection(tools(listening, consumer));
      expect((await bed.heard()).get(bad)?.versions).toEqual([1, 2, 3]);
    });

    test('tells its progress step by step', async () => {
      const consumer = hearing();
      const listening = await bed.listen([consumer]);
      await hears(await bed.say('one', 'two'), 2);
      const steps: string[] = [];
      await rebuildProjection({ ...tools(listening, consumer), report: ({ step }) => steps.push(step) });
      expect(steps.filter((step, n) => step !== steps[n - 1])).toEqual(['fill', 'index', 'catch up', 'switch']);
      expect(steps.filter((step) => step === 'switch').length, 'what is heard meanwhile').toBeGreaterThan(1);
    });

    test('decides nothing: a policy’s state is made anew, and its commands are not', async () => {
      const consumer = echoing(newMood());
      const listening = await bed.listen([consumer]);
      const id = await bed.say('one', 'two');
      await hears(id, 2);
      await hearsAll(listening, consumer);
      const events = () => bed.sql(`select id from event where stream like 'echo-%' order by position`);
      const before = await events();
      expect(before.length).toBeGreaterThanOrEqual(2);
      await rebuildProjection(tools(listening, consumer));
      expect((await bed.heard()).get(id)?.versions).toEqual([1, 2]);
      expect(await events()).toEqual(before);
    });
  });
};
