/** What an operator does to dead letters, while processes are at them. */
import { describe, expect, test } from 'vitest';
import type { Consumer } from '../../../src/platform/event-bus/consumer.ts';
import {
  type DeadLetter,
  discard,
  eventsOfDeadLetter,
  listDeadLetters,
  redrive,
} from '../../../src/platform/event-bus/dead-letters.ts';
import type { Envelope } from '../../../src/platform/event-bus/delivery.ts';
import { openLogBus } from '../../../src/platform/event-bus/log-bus.ts';
import { laneOf } from '../../../src/platform/event-store/lane.ts';
import { until } from '../../support/until.ts';
import { SCHEMA } from '../notes.ts';
import { busBed, type Listening } from './bed.ts';
import { hearing, newMood } from './heard.ts';

const bed = busBed((producer, address) =>
  openLogBus({ note: { address, schema: SCHEMA, committed: producer.committed } }, 'test bus'),
);

const database = ({ kit }: Listening) => kit.database;
const writer = ({ kit }: Listening) => ({ database: kit.database, executor: kit.commands.executor });
const letterOf = async (listening: Listening, key: string): Promise<DeadLetter | undefined> =>
  (await listDeadLetters(database(listening), { key }))[0];
const parkedWith = (listening: Listening, key: string, events: number) =>
  until(`${events} events of ${key} to be parked`, async () => {
    const letter = await letterOf(listening, key);
    return letter?.events === events ? letter : undefined;
  });
const eventsOf = async (listening: Listening, letter: DeadLetter) => {
  const events: Envelope[] = [];
  for await (const { envelope } of eventsOfDeadLetter(database(listening), letter)) events.push(envelope);
  return events;
};
const hears = (id: string, versions: readonly number[]) =>
  until(`versions ${versions} of ${id}`, async () => {
    const heard = (await bed.heard()).get(id)?.versions;
    return heard && heard.length >= versions.length && heard;
  });
const none: readonly number[] = [];
const heardOf = async (id: string) => (await bed.heard()).get(id)?.versions ?? none;
const revisionOf = async ({ lane }: DeadLetter) => {
  const [row] = await bed.sql<{ revision: number }>('select revision from consumer_lane where lane = $1', [lane]);
  return row?.revision ?? Number.NaN;
};
/** Whatever may still be under way has had its turn: another key of the same lane was handled. */
const oneMoreOf = async (id: string) => {
  for (;;) {
    const other = await bed.say('another of the lane');
    if (laneOf(other) !== laneOf(id)) continue;
    await hears(other, [1]);
    return;
  }
};

/** A listener that does not understand the second of three events, and waits for a hand. */
const stuck = async (mood = newMood()) => {
  const listening = await bed.listen([hearing(mood)]);
  const id = await bed.say('fine', mood.poison, 'after');
  await parkedWith(listening, id, 2);
  // Under way or not, the next attempt is not made by itself.
  await bed.sql(`with lanes as (update consumer_lane set revision = revision + 1)
    update parked_key set next_attempt_at = null`);
  return { mood, listening, id };
};

describe('listed', () => {
  test('is each key with what is wrong, how often it was tried, what waits, and whether anybody reads for it', async () => {
    const { listening, id } = await stuck();
    const letter = await letterOf(listening, id);
    expect(letter).toEqual({
      consumer: 'test.hearing',
      source: 'note',
      topic: 'note.events',
      key: id,
      lane: laneOf(id),
      cause: 'failed',
      error: 'Error: nothing can be made of this',
      attempts: expect.any(Number),
      events: 2,
      parkedAt: expect.stringMatching(/Z$/),
      nextAttemptAt: null,
      nextAttemptIn: null,
      isRead: true,
    });
    await bed.sql(`update consumer_lease set until = now() - interval '1 second'`);
    expect((await letterOf(listening, id))?.isRead).toBe(false);
  });

  test('is what is wrong without the words that an error quotes, or repeats of one that it wraps', async () => {
    const fault = (words: string) => {
      const cause = Object.assign(new Error(`invalid input syntax for type uuid: "${words}"`), {
        name: 'error',
        severity: 'ERROR',
        code: '22P02',
      });
      return new Error(`it was not stored: ${cause.message}`, { cause });
    };
    const { listening, id } = await stuck(newMood(fault));
    expect(await letterOf(listening, id)).toMatchObject({ cause: 'failed', error: 'Error: error 22P02' });
  });

  test('are all keys, or those of a consumer or topic', async () => {
    const { listening, id } = await stuck();
    const keys = async (which: object) => (await listDeadLetters(database(listening), which)).map(({ key }) => key);
    expect(await keys({})).toEqual([id]);
    expect(await keys({ consumer: 'test.hearing', topic: 'note.events' })).toEqual([id]);
    expect(await keys({ consumer: 'test.other' })).toEqual([]);
    expect(await keys({ topic: 'other.events' })).toEqual([]);
  });

  test('with all their events, in order, as they came: sealed', async () => {
    const { listening, id, mood } = await stuck();
    await bed.sql(`insert into parked_event select consumer, source, topic, key, era, tx, position + n, lane, id || n, stream,
      version + n, subject, type, schema_version, data, metadata, recorded_at
      from (select * from parked_event order by position desc limit 1) last, generate_series(1, 450) n`);
    const events = await eventsOf(listening, await parkedWith(listening, id, 452));
    expect(events.map(({ version }) => version)).toEqual(Array.from({ length: 452 }, (_, n) => n + 2));
    expect(events[0]?.data).toContain('$sealed');
    expect(events[0]?.data).not.toContain(mood.poison);
  });
});

describe('redriven', () => {
  test('a key is handled at once, with all behind it, in order; twice is once', async () => {
    const { listening, id, mood } = await stuck();
    const letter = await parkedWith(listening, id, 2);
    mood.cured = true;
    const twice = await Promise.all([redrive(database(listening), letter), redrive(database(listening), letter)]);
    expect(twice).toContain(true);
    expect(await hears(id, [1, 2, 3])).toEqual([1, 2, 3]);
    await until('nothing to be parked', async () => (await bed.parked()).length === 0);
    expect(await redrive(database(listening), letter), 'nothing is parked any more').toBe(false);
    await oneMoreOf(id);
    expect(await heardOf(id)).toEqual([1, 2, 3]);
  });

  test('one that fails again is logged in other words than those of its first failure', async () => {
    const { listening, id } = await stuck();
    const of = () => bed.logged().filter(({ key }) => key === id);
    await redrive(database(listening), await parkedWith(listening, id, 2));
    await until('it to fail again', () => of().length > 1);
    // It is tried on by itself, on a slow machine before we look.
    expect(of().map(({ msg, count }) => [msg, count])).toEqual([
      ['an event could not be handled; its key is parked', 1],
      ...of()
        .slice(1)
        .map((_, n) => ['a parked key failed again, and is tried again later', n + 1]),
    ]);
  });

  test('one that fails again counts its attempts from 0', async () => {
    const { listening, id } = await stuck();
    await bed.sql('update parked_key set attempts = 16');
    await redrive(database(listening), await parkedWith(listening, id, 2));
    await until('the next attempt, and another that will be made by itself', async () => {
      const { attempts = 0, nextAttemptIn } = (await letterOf(listening, id)) ?? {};
      return attempts > 0 && attempts < 16 && (nextAttemptIn ?? 0) > 0;
    });
  });

  test('while an attempt is under way, that one counts for nothing, and all is done once', async () => {
    const { listening, id, mood } = await stuck();
    await bed.stop(listening);
    const frozen = frozenAtFirst(hearing({ ...mood, cured: true }));
    const next = await bed.listen([frozen.consumer]);
    await redrive(database(next), await parkedWith(next, id, 2));
    await frozen.begun;
    expect(await redrive(database(next), await parkedWith(next, id, 2))).toBe(true);
    frozen.wake();
    expect(await hears(id, [1, 2, 3])).toEqual([1, 2, 3]);
    expect(frozen.verdicts[0]).toBe('lost');
  });

  test('a key of which nothing is parked changes nothing', async () => {
    const { listening, id } = await stuck();
    const letter = await parkedWith(listening, id, 2);
    expect(await redrive(database(listening), { ...letter, key: 'another' })).toBe(false);
    expect(await redrive(database(listening), { ...letter, consumer: 'test.other' })).toBe(false);
    expect((await letterOf(listening, id))?.nextAttemptAt).toBeNull();
  });
});

describe('discarded', () => {
  test('is the first event; those behind it go on, in order', async () => {
    const { listening, id } = await stuck();
    const letter = await parkedWith(listening, id, 2);
    const { consumer, source, topic, key } = letter;
    const discarded = await discard(writer(listening), { consumer, source, topic, key }, { all: false });
    expect(discarded).toMatchObject({ kind: 'discarded', events: 1, left: 1, first: { version: 2 } });
    await bed.extend(id, 'and on');
    expect(await hears(id, [1, 3, 4])).toEqual([1, 3, 4]);
    expect(await bed.parked()).toEqual([]);
  });

  test('is all of a key; what comes later is handled as if nothing had been', async () => {
    const { listening, id } = await stuck();
    const letter = await parkedWith(listening, id, 2);
    const before = await revisionOf(letter);
    expect(await discard(writer(listening), letter, { all: true })).toMatchObject({ events: 2, left: 0 });
    expect(await revisionOf(letter), 'who saw the key parked must look again').toBe(before + 1);
    expect(await bed.parked()).toEqual([]);
    await bed.extend(id, 'and on');
    expect(await hears(id, [1, 4])).toEqual([1, 4]);
    expect(await discard(writer(listening), letter, { all: true })).toEqual({ kind: 'gone' });
  });

  test('is nothing where another event is the first by now', async () => {
    const { listening, id } = await stuck();
    const letter = await parkedWith(listening, id, 2);
    const [first, second] = await eventsOf(listening, letter);
    const discarded = await discard(writer(listening), letter, { all: false, first: second?.id });
    expect(discarded).toEqual({ kind: 'moved', first: first?.id });
    expect((await letterOf(listening, id))?.events).toBe(2);
  });

  test('while a process is at it, whose commit then finds another lane', async () => {
    const { listening, id, mood } = await stuck();
    await bed.stop(listening);
    const frozen = frozenAtFirst(hearing({ ...mood, cured: true }));
    const next = await bed.listen([frozen.consumer]);
    const letter = await parkedWith(next, id, 2);
    await redrive(database(next), letter);
    await frozen.begun;
    expect(await discard(writer(next), letter, { all: false })).toMatchObject({ kind: 'discarded', left: 1 });
    frozen.wake();
    expect(await hears(id, [1, 3])).toEqual([1, 3]);
    expect(frozen.verdicts[0]).toBe('lost');
  });

  test('from a lane that hardly rests', async () => {
    const { listening, id } = await stuck();
    const letter = await parkedWith(listening, id, 2);
    let moving = true;
    let moves = 0;
    const mover = (async () => {
      for (; moving; moves += 1)
        await bed.sql('update consumer_lane set revision = revision + 1 where lane = $1', [letter.lane]);
    })();
    await until('it to be moved', () => moves > 5);
    const discarded = await discard(writer(listening), letter, { all: true }).finally(() => {
      moving = false;
    });
    await mover;
    expect(discarded).toMatchObject({ kind: 'discarded', events: 2, left: 0 });
    await oneMoreOf(id);
    expect(await heardOf(id)).toEqual([1]);
  });
});

/** A consumer whose first commit waits to be woken: what the operator does meanwhile comes before it. */
const frozenAtFirst = (consumer: Consumer) => {
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const { promise: woken, resolve: wake } = Promise.withResolvers<void>();
  const verdicts: unknown[] = [];
  return {
    begun,
    wake,
    verdicts,
    consumer: {
      ...consumer,
      handle: (kit, events, commit) =>
        consumer.handle(kit, events, async (effects) => {
          begin();
          await woken;
          const verdict = await commit(effects);
          verdicts.push(verdict);
          return verdict;
        }),
    } satisfies Consumer,
  };
};
