/** What every bus promises, whatever carries it. Names no adapter. */
import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Consumer } from '../../../src/platform/event-bus/consumer.ts';
import { laneOf } from '../../../src/platform/event-store/lane.ts';
import { until } from '../../support/until.ts';
import { upTo } from '../bed.ts';
import { NOTE_EVENTS } from '../notes.ts';
import type { BusBed } from './bed.ts';
import { echoing, hearing, newMood } from './heard.ts';

export const busSuite = (bed: BusBed): void => {
  const heardOf = async (id: string) => (await bed.heard()).get(id)?.versions;
  const hears = (id: string, versions: readonly number[]) =>
    until(`version ${versions.at(-1)} of ${id}`, async () => {
      const heard = await heardOf(id);
      return heard !== undefined && heard.length >= versions.length && heard;
    });

  describe('what was published is heard', () => {
    test('from the beginning, in the order of each key, once', async () => {
      const before = await Promise.all(upTo(30).map(() => bed.say('one', 'two', 'three')));
      await bed.listen([hearing()]);
      const after = await Promise.all(upTo(30).map(() => bed.say('one', 'two')));
      for (const id of before) expect(await hears(id, [1, 2, 3])).toEqual([1, 2, 3]);
      for (const id of after) expect(await hears(id, [1, 2])).toEqual([1, 2]);
    });

    test('from now on, where a consumer says so: nothing of what was before its first start, all that came after', async () => {
      const before = await bed.say('before');
      await bed.shown(); // "now" is where a feed ends
      const first = await bed.listen([hearing(newMood(), 'now')]);
      await until('its registration', async () => (await bed.sql('select from consumer_source')).length > 0);
      const after = await bed.say('after');
      await hears(after, [1]);
      await bed.stop(first);
      const meanwhile = await bed.say('while it was away');
      await bed.listen([hearing(newMood(), 'now')]);
      expect(await hears(meanwhile, [1])).toEqual([1]);
      expect(await heardOf(after), 'not again').toEqual([1]);
      expect(await heardOf(before)).toBeUndefined();
    });

    test('in two processes at once, and after one of them is gone: each event once', async () => {
      const one = await bed.listen([hearing()]);
      await bed.listen([hearing()]);
      const ids = await Promise.all(upTo(20).map(() => bed.say('a', 'b')));
      await bed.stop(one);
      for (const id of ids) await bed.extend(id, 'c');
      for (const id of ids) expect(await hears(id, [1, 2, 3])).toEqual([1, 2, 3]);
    });

    test('when its transaction was held open, after those that were committed meanwhile', async () => {
      await bed.listen([hearing()]);
      await bed.sql('begin');
      await bed.sql('select pg_current_xact_id()');
      const id = await bed.say('waits');
      await new Promise((resolve) => setTimeout(resolve, 300));
      const meanwhile = await heardOf(id);
      await bed.sql('commit');
      expect(meanwhile, 'it could come to lie before one that is not committed yet').toBeUndefined();
      expect(await hears(id, [1])).toEqual([1]);
    });
  });

  describe('a poison event stops its key, and nothing else', () => {
    test('its followers wait behind it, others go on; once it can be handled, all of it is, in order, once', async () => {
      const mood = newMood();
      await bed.listen([hearing(mood)]);
      const bad = await bed.say('fine', mood.poison, 'after');
      const good = await Promise.all(upTo(10).map(() => bed.say('one', 'two')));
      for (const id of good) expect(await hears(id, [1, 2])).toEqual([1, 2]);
      await until('the followers to be parked', async () => (await bed.parked())[0]?.[2] === 2);
      expect(await bed.parked()).toEqual([[bad, 'failed', 2]]);
      await bed.extend(bad, 'long after');
      await until('one more', async () => (await bed.parked())[0]?.[2] === 3);
      expect(await heardOf(bad)).toEqual([1]);

      mood.cured = true;
      await bed.hurry();
      expect(await hears(bad, [1, 2, 3, 4])).toEqual([1, 2, 3, 4]);
      await bed.extend(bad, 'and on');
      expect(await hears(bad, [1, 2, 3, 4, 5])).toEqual([1, 2, 3, 4, 5]);
      expect(await bed.parked()).toEqual([]);
    });

    test('it is tried again by itself, ever more rarely', async () => {
      const mood = newMood();
      await bed.listen([hearing(mood)]);
      const bad = await bed.say(mood.poison);
      const waits: number[] = [];
      for (const attempts of [1, 2, 3]) {
        const wait = await until(`attempt ${attempts}`, async () => {
          const [row] = await bed.sql<{ attempts: number; ms: number }>(
            'select attempts, extract(epoch from next_attempt_at - now()) * 1000 as ms from parked_key',
          );
          return row !== undefined && row.attempts >= attempts ? Number(row.ms) : undefined;
        });
        waits.push(wait);
        await bed.hurry();
      }
      expect(mood.attempts.length).toBeGreaterThanOrEqual(3);
      expect(waits[2]).toBeGreaterThan(waits[0] ?? Number.NaN);
      expect(await heardOf(bad)).toBeUndefined();
    });

    test('when nearly everything fails, the consumer itself stops taking what is new, until one goes well', async () => {
      const mood = newMood();
      await bed.listen([hearing(mood)]);
      await Promise.all(upTo(15).map(() => bed.say(mood.poison)));
      await until('all of them to be parked', async () => (await bed.parked()).length === 15);
      const more = await Promise.all(upTo(60).map(() => bed.say(mood.poison)));
      await until('it to stop', async () => (await bed.parked()).length > 20);
      await new Promise((resolve) => setTimeout(resolve, 500));
      const parked = (await bed.parked()).length;
      expect(parked).toBeLessThan(75);
      mood.cured = true;
      await bed.hurry();
      for (const id of more) expect(await hears(id, [1])).toEqual([1]);
    });
  });

  describe('a process that was frozen while it handled', () => {
    test('finds that another one was there, and has no effect', async () => {
      const mood = newMood();
      const id = await bed.say('one', 'two');
      const { promise: woken, resolve: wake } = Promise.withResolvers<void>();
      const { promise: frozen, resolve: freeze } = Promise.withResolvers<void>();
      const verdicts: unknown[] = [];
      const sleeper: Consumer = {
        ...hearing(mood),
        handle: (kit, events, commit) =>
          hearing(mood).handle(kit, events, async (effects) => {
            freeze();
            await woken;
            const verdict = await commit(effects);
            verdicts.push(verdict);
            return verdict;
          }),
      };
      await bed.listen([sleeper]);
      await frozen;
      await bed.depose('test.hearing');
      await bed.listen([hearing(mood)]);
      expect(await hears(id, [1, 2])).toEqual([1, 2]);
      wake();
      await until('it to come back', () => verdicts.length > 0);
      expect(verdicts[0]).toBe('lost');
      await bed.extend(id, 'three');
      expect(await hears(id, [1, 2, 3])).toEqual([1, 2, 3]);
    });
  });

  describe('what nobody can read is parked too, with its cause', () => {
    const deep = `${'{"a":'.repeat(100)}1${'}'.repeat(100)}`;
    test.each([
      ['null', 'null', 'not the JSON of an event'],
      ['a list', '[1]', 'not the JSON of an event'],
      ['100 levels', deep, 'more than 64 levels deep'],
      ['6 MB', `{"text":"${'x'.repeat(6 * 1024 * 1024)}"}`, 'larger than'],
      ['a wrong shape', '{"text":"fine","secret":"4711"}', 'breaks its contract: /secret unknown-field'],
    ])('%s', async (_what, data, error) => {
      const mood = newMood();
      await bed.listen([hearing(mood, 'now')]);
      await until('its registration', async () => (await bed.sql('select from consumer_source')).length > 0);
      const id = await bed.say('fine');
      await bed.damage(id, data);
      const other = await bed.say('another');
      expect(await hears(other, [1])).toEqual([1]);
      await until('it to be parked', async () => (await bed.parked()).length > 0);
      expect(await bed.parked()).toEqual([[id, 'unreadable', 1]]);
      const [key] = await bed.sql<{ error: string; next: string | null }>(
        'select error, next_attempt_at as next from parked_key',
      );
      expect(key?.error).toContain(error);
      expect(key?.next, 'it would not get better').toBeNull();
      expect(await heardOf(id)).toEqual([1]);
    });
  });

  describe('what is forged in a store stops nobody', () => {
    test.each([
      ['a key longer than an index takes', { key: 'k'.repeat(12_000), lane: 3 }],
      ['a key that lies in another lane than its own', { lane: 3 }],
      ['a version that there never was', { schema_version: -3 }],
    ])('%s', async (_what, forged) => {
      await bed.listen([hearing(newMood(), 'now')]);
      await until('its registration', async () => (await bed.sql('select from consumer_source')).length > 0);
      const id = await bed.say('fine');
      const before = await bed.say('before');
      await bed.damage(id, '{"text":1}', forged);
      await bed.damage(before, '{"text":1}', { ...forged, lane: 4 });
      const other = await bed.say('another');
      expect(await hears(other, [1])).toEqual([1]);
      await until('it to be parked', async () => (await bed.parked()).length > 0);
      expect((await bed.parked()).every(([, cause]) => cause === 'unreadable')).toBe(true);
    });
  });

  describe('what this release does not know waits for one that does', () => {
    const { 'note.extended': extended, ...older } = NOTE_EVENTS;
    test('a type', async () => {
      const consumer = hearing(newMood(), 'now');
      const old = await bed.listen([{ ...consumer, types: ['note.written'] }], older);
      await until('its registration', async () => (await bed.sql('select from consumer_source')).length > 0);
      const id = await bed.say('known', 'unknown', 'unknown too');
      await until('it to be parked', async () => (await bed.parked())[0]?.[2] === 2);
      expect(await bed.parked()).toEqual([[id, 'unknown', 2]]);
      await bed.stop(old);
      expect(extended).toBeDefined();
      await bed.listen([consumer]);
      expect(await hears(id, [1, 2, 3])).toEqual([1, 2, 3]);
    });
  });

  describe('a policy', () => {
    const echoed = (id: string) =>
      bed.sql<{ type: string; data: { of: string; late: boolean }; cause: string; id: string }>(
        `select type, data, metadata ->> 'causationId' as cause, id from event where stream = $1 order by version`,
        [`echo-${id}`],
      );
    test('decides each command of a batch on what those before it left, and a foreseen rejection is no failure', async () => {
      const ids = await Promise.all(upTo(5).map(() => bed.say('1', '2', '3', '4', '5')));
      await bed.listen([echoing(newMood())]);
      for (const id of ids) {
        await hears(id, [1, 2, 3, 4, 5]);
        const events = await echoed(id);
        expect(events.map(({ type }) => type)).toEqual(['echo.begun', 'echo.repeated', 'echo.repeated']);
        expect(events.map(({ data }) => data.of)).toEqual(['1;', '1;2;', '1;2;3;']);
      }
      expect((await bed.parked()).filter(([key]) => ids.includes(key))).toEqual([]);
    });

    test('happened one after the other, as their causes in the lane did, also where they were heard together', async () => {
      const ids: string[] = [];
      while (ids.length < 20) {
        const id = randomUUID();
        if (ids[0] === undefined || laneOf(id) === laneOf(ids[0])) ids.push(id);
      }
      for (const id of ids) await bed.sayAs(id, '1');
      await bed.listen([echoing(newMood())]);
      for (const id of ids) await hears(id, [1]);
      const rows = await bed.sql<{ stream: string; at: string }>(
        `select stream, metadata ->> 'occurredAt' as at from event where type = 'echo.begun'`,
      );
      const at = new Map(rows.map((row) => [row.stream, row.at]));
      const instants = ids.map((id) => at.get(`echo-${id}`) ?? '');
      expect(new Set(instants).size).toBe(20);
      expect(instants).toEqual(instants.toSorted());
    });

    test('does the same again for nobody: event ids follow from their causes', async () => {
      const id = await bed.say('1', '2');
      const first = await bed.listen([echoing(newMood())]);
      await hears(id, [1, 2]);
      const before = await echoed(id);
      await bed.stop(first);
      await bed.sql('truncate consumer cascade');
      await bed.sql('truncate heard');
      await bed.listen([echoing(newMood())]);
      await until('the same events to come by again', async () => (await bed.parked()).length > 0 || heardOf(id));
      await new Promise((resolve) => setTimeout(resolve, 300));
      const after = await echoed(id);
      expect(new Set(after.map((event) => event.id)).size).toBe(after.length);
      expect(after.slice(0, before.length)).toEqual(before);
    });

    test('is told of what comes too late', async () => {
      const id = await bed.say('1');
      await new Promise((resolve) => setTimeout(resolve, 60));
      await bed.listen([echoing(newMood(), 50)]);
      await hears(id, [1]);
      expect((await echoed(id)).map(({ data }) => data.late)).toEqual([true]);
    });
  });
};
