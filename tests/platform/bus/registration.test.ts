/** Consumers by name: registered, seen from outside, missed, renamed, forgotten. */
import { describe, expect, test } from 'vitest';
import { openLogBus } from '../../../src/platform/event-bus/log-bus.ts';
import { registeredPosts, standOf } from '../../../src/platform/event-bus/overview.ts';
import { adoptConsumer, retireConsumer } from '../../../src/platform/event-bus/registration.ts';
import { until } from '../../support/until.ts';
import { SCHEMA } from '../notes.ts';
import { busBed, type Listening } from './bed.ts';
import { hearing, newMood } from './heard.ts';

const bed = busBed((producer, address) =>
  openLogBus({ note: { address, schema: SCHEMA, committed: producer.committed } }, 'test bus'),
);
const hears = (id: string, versions: readonly number[]) =>
  until(`versions ${versions} of ${id}`, async () => {
    const heard = (await bed.heard()).get(id)?.versions;
    return heard && heard.length >= versions.length && heard;
  });
const post = { consumer: 'test.hearing', source: 'note' };
const named = (name: string, mood = newMood()) => hearing(mood, 'beginning', name);

/** A listener that has handled one note and is stuck at the second of another. */
const begun = async () => {
  const mood = newMood();
  const listening = await bed.listen([named('test.hearing', mood)]);
  const id = await bed.say('fine', mood.poison, 'after');
  await until('its followers to be parked', async () => (await bed.parked())[0]?.[2] === 2);
  return { listening, id, mood };
};
const names = async ({ kit }: Listening) => (await registeredPosts(kit.database)).map(({ consumer }) => consumer);

describe('seen from outside', () => {
  test('a consumer is registered since, begins where it says, and is held by whoever reads for it', async () => {
    const { listening } = await begun();
    const { database } = listening.kit;
    const [registered] = await registeredPosts(database);
    expect(registered).toEqual({
      ...post,
      begins: 'beginning',
      registeredAt: expect.stringMatching(/Z$/),
      holder: expect.stringMatching(/^[0-9a-f-]{36}$/),
      heldUntil: expect.stringMatching(/Z$/),
    });
    await bed.sql(`update consumer_lease set until = now() - interval '1 second'`);
    expect((await registeredPosts(database))[0]).toMatchObject({ holder: null, heldUntil: null });
  });

  test('it tells how far it has read, what lies behind that, and what is parked', async () => {
    const { listening } = await begun();
    const { kit, bus } = listening;
    const stand = await until('it to have read all', async () => {
      const now = await standOf(kit.database, bus, post);
      return now.lag.events === 0 && now;
    });
    expect(stand).toEqual({
      position: expect.stringMatching(/^1:\d+:\d+$/),
      lag: { events: 0, seconds: 0 },
      parkedKeys: 1,
    });
    expect(await listening.consumers.health()).toEqual([{ ...post, status: 'degraded', ...stand }]);
    await bed.sql('update consumer_cursor set cursor = $1', ['1:0:0']);
    const behind = await standOf(kit.database, bus, post);
    expect(behind.lag.events).toBeGreaterThanOrEqual(3);
    expect(behind.lag.seconds).toBeGreaterThan(0);
  });
});

describe('a name that the code does not declare any more', () => {
  test('stops the start, and says what can be done', async () => {
    await bed.stop((await begun()).listening);
    await expect(bed.listen([named('test.renamed')])).rejects.toThrow(
      'test.hearing reads events here, but this release declares no such consumer (it has test.renamed). ' +
        'If it was renamed: taskwire consumers adopt test.hearing test.<new name>; ' +
        'if it is gone for good: taskwire consumers retire test.hearing --yes',
    );
    await expect(bed.listen([])).rejects.toThrow('(it has none)');
  });

  test('is not said to be renamed where every name that the code declares stands somewhere itself', async () => {
    await bed.stop((await begun()).listening);
    await bed.sql(`insert into consumer (name, begins) values ('test.other', 'now')`);
    await expect(bed.listen([named('test.other')])).rejects.toThrow(
      '(it has test.other). If it is gone for good: taskwire consumers retire test.hearing --yes',
    );
  });

  test('is adopted: its successor goes on where it stood, with its dead letters', async () => {
    const { listening, id, mood } = await begun();
    expect(await adoptConsumer(listening.kit.database, 'test.hearing', 'test.renamed')).toBe(true);
    await bed.stop(listening);
    mood.cured = true;
    const next = await bed.listen([named('test.renamed', mood)]);
    await bed.hurry();
    expect(await hears(id, [1, 2, 3])).toEqual([1, 2, 3]);
    await bed.extend(id, 'and on');
    expect(await hears(id, [1, 2, 3, 4])).toEqual([1, 2, 3, 4]);
    expect(await names(next)).toEqual(['test.renamed']);
  });

  test('is not adopted under a name that stands somewhere itself, nor where there is no such name', async () => {
    const { listening } = await begun();
    const { database } = listening.kit;
    await bed.sql(`insert into consumer (name, begins) values ('test.other', 'now')`);
    expect(await adoptConsumer(database, 'test.hearing', 'test.other')).toBe(false);
    expect(await adoptConsumer(database, 'test.nobody', 'test.new')).toBe(false);
    expect(await names(listening)).toEqual(['test.hearing', 'test.other']);
  });

  test('is retired: nothing of it is left, and a consumer of that name would begin anew', async () => {
    const { listening, id, mood } = await begun();
    expect(await retireConsumer(listening.kit.database, 'test.hearing')).toBe(true);
    const tables = ['consumer', 'consumer_source', 'consumer_cursor', 'consumer_lane', 'parked_key', 'parked_event'];
    for (const table of tables) expect(await bed.sql(`select from ${table}`), table).toEqual([]);
    expect(await retireConsumer(listening.kit.database, 'test.hearing')).toBe(false);
    await bed.stop(listening);
    await bed.listen([named('test.hearing', { ...mood, cured: true })]);
    expect(await hears(id, [1, 1, 2, 3])).toEqual([1, 1, 2, 3]);
  });
});
