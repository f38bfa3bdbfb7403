/** How a read waits for what was written elsewhere: against positions as the consumers' own commits would leave them. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import { type CatchUp, type Hearing, openCatchUp, type Written } from '../../src/platform/event-bus/consistency.ts';
import type { FeedPosition } from '../../src/platform/event-store/event.ts';
import { awaitWrites, createConsistencyTokens } from '../../src/platform/http/consistency.ts';
import { createHttpApp } from '../../src/platform/http/server.ts';
import { createSignal } from '../../src/platform/lifecycle/signal.ts';
import type { Database } from '../../src/platform/sql/database.ts';
import { createLogger } from '../../src/platform/telemetry/logger.ts';
import { testBed, upTo } from './bed.ts';
import { MASTER_KEY } from './notes.ts';

const bed = testBed();
const TOPIC = 'there.events';
const LANE = 7;
const at = (position: number, tx = '1000', era = 1): FeedPosition => ({ era, tx, position });
/** Something that the source `there` said, in one lane or in some. */
const written = (last: FeedPosition, first = last, lanes: readonly number[] = [LANE], topic = TOPIC): Written => ({
  source: 'there',
  first,
  lanes: lanes.map((lane) => ({ topic, lane, last })),
});

beforeEach(() => bed.sql('truncate consumer cascade'));
/** A consumer that began at a place, as if the bus had registered it. */
const register = async (consumer = 'here.hearing', start = at(0, '0', 0)): Promise<void> => {
  await bed.sql(`insert into consumer (name, begins) values ($1, 'beginning')`, [consumer]);
  await bed.sql('insert into consumer_source values ($1, $2, $3, $4, $5)', [
    consumer,
    'there',
    start.era,
    start.tx,
    start.position,
  ]);
};
const move = (to: FeedPosition, lane = LANE, consumer = 'here.hearing') =>
  bed.sql(
    `insert into consumer_lane values ($1, 'there', $2, $3, $4, $5, $6, 1) on conflict (consumer, source, topic, lane)
     do update set era = excluded.era, tx = excluded.tx, position = excluded.position`,
    [consumer, TOPIC, lane, to.era, to.tx, to.position],
  );
const park = async (places: readonly FeedPosition[], lane = LANE, key = randomUUID()): Promise<string> => {
  await bed.sql(
    `insert into parked_key values ('here.hearing', 'there', $1, $2, $3, 'failed', 'it was bad', 1, now(), null)`,
    [TOPIC, key, lane],
  );
  for (const { era, tx, position } of places) {
    await bed.sql(
      `insert into parked_event values ('here.hearing', 'there', $1, $2, $3, $4, $5, $6, $7, 's', 1, null, 't', 1, '{}', '{}', now())`,
      [TOPIC, key, era, tx, position, lane, randomUUID()],
    );
  }
  return key;
};

const HEARING: Hearing = { consumer: 'here.hearing', source: 'there', topics: [TOPIC] };
const open = (hearings: readonly Hearing[] = [HEARING], committed = createSignal()): CatchUp =>
  openCatchUp(bed.open().database, committed, hearings);
type Told = { readonly outcome: string; readonly after: number };
const tell = async (outcome: Promise<string>): Promise<Told> => {
  const began = performance.now();
  return { outcome: await outcome, after: performance.now() - began };
};
/** Waited for is 2 s, and no less; the rest of the bound is what a busy machine may take from us. */
const expectInVain = ({ outcome, after }: Told): void => {
  expect(outcome).toBe('behind');
  expect(after).toBeGreaterThan(1_800);
  expect(after).toBeLessThan(4_000);
};

describe('a read that brings a write along', () => {
  test.each([
    ['stands there', at(5)],
    ['stands behind it', at(6)],
    ['stands in a later transaction', at(1, '1001')],
    ['stands in a later era', at(1, '7', 2)],
  ])('goes on where the lane %s', async (_where, position) => {
    await register();
    await move(position);
    expect(await open()([written(at(5))])).toBe('reached');
  });

  test('goes on where the consumer began later, and its lane has no row yet', async () => {
    await register('here.hearing', at(5));
    expect(await open()([written(at(5))])).toBe('reached');
  });

  test('goes on where nobody hears of it: not of that source, not of that topic', async () => {
    await register();
    const catchUp = open([HEARING, { consumer: 'here.other', source: 'elsewhere', topics: ['else.events'] }]);
    expect(await open([])([written(at(5))])).toBe('reached');
    expect(await catchUp([{ ...written(at(5)), source: 'here' }, written(at(5), at(5), [1], 'other.events')])).toBe(
      'reached',
    );
    expect(await catchUp([])).toBe('reached');
  });

  test('does not wait for a consumer that hears another topic of that source', async () => {
    await register();
    await move(at(5));
    const catchUp = open([HEARING, { consumer: 'here.other', source: 'there', topics: ['other.events'] }]);
    expect(await catchUp([written(at(5))])).toBe('reached');
  });

  test('waits 2 s in vain where it is not: one position short, an earlier transaction, another lane, nobody registered', async () => {
    const waits = [];
    await register('one');
    await move(at(4), LANE, 'one');
    await register('two');
    await move(at(9, '999'), LANE, 'two');
    await register('three');
    await move(at(9), LANE + 1, 'three');
    for (const consumer of ['one', 'two', 'three', 'unregistered']) {
      waits.push(tell(open([{ ...HEARING, consumer }])([written(at(5))])));
    }
    const [huge, next] = ['9007199254740993', '9007199254740994']; // beyond what a double tells apart
    await register('four');
    await move(at(1, huge), LANE, 'four');
    const four = open([{ ...HEARING, consumer: 'four' }]);
    expect([await four([written(at(1, huge))]), await four([written(at(1, '999'))])]).toEqual(['reached', 'reached']);
    waits.push(tell(four([written(at(1, next))])));
    for (const told of await Promise.all(waits)) expectInVain(told);
  });

  test('goes on when the lane moves there, and not before', async () => {
    await register();
    await move(at(3));
    const outcome = open()([written(at(5))]);
    let goesOn = false;
    void outcome.then(() => {
      goesOn = true;
    });
    await sleep(200);
    await move(at(4));
    await sleep(200);
    expect(goesOn).toBe(false);
    await move(at(5));
    expect(await outcome).toBe('reached');
  });

  test('waits for all lanes of the write, and for each consumer that hears of it', async () => {
    await register();
    await register('here.slow');
    for (const lane of [1, 2]) await move(at(5), lane);
    await move(at(5), 1, 'here.slow');
    const both = [HEARING, { ...HEARING, consumer: 'here.slow' }];
    const [one, two, slow] = [written(at(5), at(4), [1]), written(at(5), at(4), [1, 2]), written(at(5), at(4), [2, 3])];
    expect(await open(both)([one])).toBe('reached');
    expect(await open()([two])).toBe('reached');
    const told = await Promise.all([tell(open(both)([two])), tell(open()([slow])), tell(open(both)([one, two]))]);
    for (const one of told) expectInVain(one);
  });

  test('of a hundred that wait, those go on whose lane moved', async () => {
    await register();
    const catchUp = open();
    const told = upTo(100).map((n) => tell(catchUp([written(at(5), at(5), [n % 4])])));
    await sleep(100);
    for (const lane of [0, 1]) await move(at(5), lane);
    const outcomes = await Promise.all(told);
    const reached = outcomes.filter(({ outcome }) => outcome === 'reached');
    expect(reached).toHaveLength(50);
    for (const one of outcomes) if (one.outcome !== 'reached') expectInVain(one);
  });

  test('more than 1,000 lanes are not waited for at a time: who comes then is told at once', async () => {
    await register();
    const catchUp = open();
    const many = upTo(40).map(() => tell(catchUp([written(at(5), at(5), upTo(25))])));
    const late = await tell(catchUp([written(at(5))]));
    expect(late.outcome).toBe('behind');
    expect(late.after).toBeLessThan(1_800);
    for (const told of await Promise.all(many)) expectInVain(told);
    await move(at(5));
    expect(await catchUp([written(at(5))]), 'and when they are gone, there is room').toBe('reached');
  });
});

describe('of what is parked', () => {
  test('the read is told at once, though the lane went on', async () => {
    await register();
    await move(at(9));
    await park([at(5)]);
    const told = await tell(open()([written(at(6), at(5))]));
    expect(told.outcome).toBe('parked');
    expect(told.after).toBeLessThan(1_800);
  });

  test('also of what waits behind another event of its key, and as soon as it is parked', async () => {
    await register();
    await move(at(5));
    const outcome = open()([written(at(8))]);
    await sleep(100);
    await park([at(5), at(8)]);
    await move(at(8));
    expect(await outcome).toBe('parked');
  });

  test('a read goes on where it is other people’s: before it, after it, or in another lane', async () => {
    await register();
    await move(at(9));
    await park([at(4), at(7)]);
    await park([at(1, '999'), at(1, '1001')]);
    await park([at(5)], LANE + 1);
    expect(await open()([written(at(6), at(5))])).toBe('reached');
  });

  test('a read goes on once it is dealt with', async () => {
    await register();
    await move(at(9));
    const key = await park([at(5)]);
    await bed.sql('delete from parked_key where key = $1', [key]);
    expect(await open()([written(at(5))])).toBe('reached');
  });
});

describe('over HTTP', () => {
  const tokens = createConsistencyTokens(MASTER_KEY);
  const served = async (catchUp?: CatchUp) => {
    const nobody = { verify: async () => ({ refused: 'nobody is known here' }) };
    const app = await createHttpApp({ verifier: nobody, logger: createLogger('silent') });
    app.register(async (scope) => {
      awaitWrites(scope, tokens, catchUp);
      scope.get('/said', { config: { access: 'public' } }, async () => 'hello');
    });
    return (...writes: readonly Written[]) =>
      app.inject({ url: '/said', headers: { 'consistency-token': writes.map(tokens.write).join(', ') } });
  };

  test('a read is answered once all is there, else told that it is not, and when to ask again', async () => {
    await register();
    await move(at(5));
    const ask = await served(open());
    const [here, ahead] = [written(at(5)), written(at(6))];
    expect((await ask(here)).body).toBe('hello');
    const began = performance.now();
    const behind = await ask(here, ahead);
    expectInVain({ outcome: 'behind', after: performance.now() - began });
    expect(behind.json()).toMatchObject({ status: 503, code: 'projection-behind' });
    expect([behind.statusCode, behind.headers['retry-after']]).toEqual([503, '1']);
    const waiting = ask(ahead);
    await sleep(50);
    await move(at(6));
    expect((await waiting).body).toBe('hello');
    await park([at(6)]);
    const parked = await ask(ahead);
    expect(parked.json()).toMatchObject({ status: 503, code: 'projection-behind' });
    expect([parked.statusCode, parked.headers['retry-after']]).toEqual([503, '30']);
  });

  test('a service that hears of nobody does not wait', async () => {
    expect((await (await served())(written(at(5)))).body).toBe('hello');
  });
});

describe('how often it is looked', () => {
  test('each 50 ms at the most where nothing is committed here, and after each commit', async () => {
    await register();
    const { database } = bed.open();
    const looksIn2Seconds = async (notify: boolean): Promise<number> => {
      let looks = 0;
      const committed = createSignal();
      const read: Database['read'] = async (...asked) => {
        const rows = await database.read<never>(...asked);
        looks += 1;
        if (notify) committed.notify();
        return rows;
      };
      expectInVain(await tell(openCatchUp({ ...database, read }, committed, [HEARING])([written(at(5))])));
      return looks;
    };
    const [quiet, busy] = await Promise.all([looksIn2Seconds(false), looksIn2Seconds(true)]);
    expect(quiet).toBeLessThan(50);
    expect(quiet).toBeGreaterThan(15);
    expect(busy).toBeGreaterThan(60);
  });
});

test('a database that is away is told as such, and waited for by nobody', async () => {
  const { database } = bed.open({ ...bed.address(), port: 1 });
  const catchUp = openCatchUp(database, createSignal(), [HEARING]);
  await expect(catchUp([written(at(5))])).rejects.toMatchObject({ refusal: 'unavailable' });
});
