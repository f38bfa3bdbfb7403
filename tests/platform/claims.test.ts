/** Who gets a piece of work, as the database decides it between many that ask at once. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Claim, claimDue, forgetOld, postpone } from '../../src/platform/scheduling/claims.ts';
import { isClaimable } from '../../src/platform/scheduling/lease.ts';
import { dueOf } from '../../src/platform/scheduling/schedule.ts';
import { ALARM_TABLE, openAlarms } from './alarms.ts';
import { testBed, upTo } from './bed.ts';
import { commitOf } from './notes.ts';

const bed = testBed(undefined, openAlarms);
beforeAll(() => bed.sql(ALARM_TABLE));
beforeEach(() => bed.sql('truncate schedule, lease'));

const LEASE = 5_000;
/** Something due so many ms from now (below 0: since then), whatever stream it belongs to. */
const due = async (ms = -1_000, prefix = 'alarm'): Promise<string> => {
  const id = randomUUID();
  await bed.sql(`insert into schedule values ($1, 1, $2, now() + $3 * interval '1 ms')`, [id, prefix, ms]);
  return id;
};
const claim = (kit = bed.open(), limit = 10, lease = LEASE) => claimDue(kit.database, 'alarm', limit, lease);
const idsOf = ({ claims }: { readonly claims: readonly Claim[] }) => claims.map(({ id }) => id);
/** The only claim there is to make. */
const claimOne = async (kit = bed.open(), lease = LEASE): Promise<Claim> => {
  const { claims } = await claim(kit, 1, lease);
  const [one] = claims;
  if (one === undefined) throw new Error('nothing could be claimed');
  return one;
};
const leases = () =>
  bed.sql<{ id: string; token: string; claims: number; left: number }>(
    `select id, token, claims, (extract(epoch from until - clock_timestamp()) * 1000)::float8 as left from lease`,
  );
/** Time passes: every lease is over. */
const end = () => bed.sql('update lease set until = now()');

describe('what is due and free is claimed', () => {
  test('the longest due first, as much as is asked for, of one kind of stream', async () => {
    const [third, second, first] = [await due(-1_000), await due(-2_000), await due(-3_000)];
    await due(-9_000, 'note');
    await due(60_000);
    const kit = bed.open();
    expect(idsOf(await claim(kit, 2))).toEqual(expect.arrayContaining([first, second]));
    expect(idsOf(await claim(kit, 2))).toEqual([third]);
    expect(idsOf(await claim(kit, 2))).toEqual([]);
  });

  test('with a token of its own, a count, and the time by the database’s clock, to the millisecond', async () => {
    const id = await due();
    const { claims } = await claim();
    expect(claims).toMatchObject([
      {
        id,
        token: expect.stringMatching(/^[0-9a-f-]{36}$/),
        claims: 1,
        now: expect.stringMatching(/T[\d:]{8}\.\d{3}Z$/),
      },
    ]);
    expect(Math.abs(Date.parse(claims[0]?.now ?? '') - Date.now())).toBeLessThan(2_000);
    expect(await leases()).toMatchObject([{ id, token: claims[0]?.token, claims: 1 }]);
  });

  test('and it is told when more will be', async () => {
    const kit = bed.open();
    expect((await claim(kit)).nextIn).toBeNull();
    await due(60_000);
    await due(-1);
    const { nextIn } = await claim(kit);
    expect(nextIn).toBeGreaterThan(55_000);
    expect(nextIn).toBeLessThan(60_001);
  });

  test('once, however many workers ask at the same moment', async () => {
    for (let round = 0; round < 5; round += 1) {
      await bed.sql('truncate schedule, lease');
      const rows = await bed.sql<{ id: string }>(
        `insert into schedule select gen_random_uuid(), 1, 'alarm', now() - n * interval '1 ms' from generate_series(1, 60) n
         returning id`,
      );
      const all = rows.map(({ id }) => id);
      const kits = upTo(8).map(() => bed.open());
      const claimed: string[] = [];
      await Promise.all(
        kits.map(async (kit) => {
          for (let empty = 0; empty < 3; ) {
            const ids = idsOf(await claim(kit, 7, 60_000)); // no round takes so long
            claimed.push(...ids);
            empty += ids.length === 0 ? 1 : 0;
          }
        }),
      );
      expect(claimed.toSorted()).toEqual(all.toSorted());
      expect((await leases()).map(({ claims }) => claims)).toEqual(all.map(() => 1));
    }
  });

  test('not when another claimed it while this claim waited for them', async () => {
    const id = await due();
    const kit = bed.open();
    await kit.health();
    await bed.sql('begin');
    // One that has begun to claim, and whose clock goes on until it commits.
    await bed.sql(`insert into lease values ('alarm', $1, gen_random_uuid(), now(), now(), 1)`, [id]);
    const waiting = claim(kit);
    await sleep(100);
    await bed.sql(`update lease set since = clock_timestamp(), until = clock_timestamp() + interval '5 s'`);
    await bed.sql('commit');
    expect(idsOf(await waiting)).toEqual([]);
  });

  test('not while a commit is about to change when it is due; what it says counts', async () => {
    const id = await due();
    const kit = bed.open();
    await kit.health();
    await bed.sql('begin');
    await bed.sql(`update schedule set due_at = now() + interval '1 hour' where id = $1`, [id]);
    expect(idsOf(await claim(kit))).toEqual([]);
    await bed.sql('commit');
    expect(idsOf(await claim(kit))).toEqual([]);
  });
});

test('when something is due is told of streams of any name', async () => {
  const [id, other] = [await due(60_000), randomUUID()];
  const told = await dueOf(bed.open().database, ['none', id, '', other, `${id}@1`]);
  expect([...told]).toEqual([[id, expect.stringMatching(/Z$/)]]);
});

describe('a lease', () => {
  test('keeps others out until it is over; then somebody takes over, with a token and a count of their own', async () => {
    const id = await due();
    const [one, other] = [bed.open(), bed.open()];
    const first = await claimOne(one);
    expect(idsOf(await claim(other))).toEqual([]);
    expect(await first.isHeld()).toBe(true);
    await end();
    const second = await claimOne(other);
    expect(second).toMatchObject({ id, claims: 2 });
    expect(second.token).not.toBe(first.token);
    expect([await first.isHeld(), await second.isHeld()]).toEqual([false, true]);
  });

  test('that began in the future is over: the clock was set back', async () => {
    const id = await due();
    const stuck = await claimOne();
    await bed.sql(`update lease set since = since + interval '3 hours', until = until + interval '3 hours'`);
    const taken = await claimOne();
    expect(taken).toMatchObject({ id, claims: 2 });
    expect(await stuck.isHeld()).toBe(false);
    expect((await leases())[0]?.left, 'and the new one ends in time').toBeLessThan(LEASE + 1);
  });

  test('is judged by the database as by the state machine, wherever it begins and ends', async () => {
    const kit = bed.open();
    // Far enough from the moment of the claim for a slow machine.
    const offset = fc.constantFrom(-900_000, -60_000, 60_000, 900_000);
    const places = fc.record({ dueAt: offset, since: offset, length: fc.constantFrom(0, 30_000, 600_000, 3_000_000) });
    await fc.assert(
      fc.asyncProperty(fc.array(places, { minLength: 1, maxLength: 20 }), async (all) => {
        await bed.sql('truncate schedule, lease');
        const expected: string[] = [];
        for (const { dueAt, since, length } of all) {
          const id = await due(dueAt);
          const until = since + length;
          await bed.sql(
            `insert into lease values ('alarm', $1, gen_random_uuid(), now() + $2 * interval '1 ms', now() + $3 * interval '1 ms', 1)`,
            [id, since, until],
          );
          const lease = { token: 'x', since, until, claims: 1 };
          if (isClaimable(dueAt, lease, 0)) expected.push(id);
        }
        expect(idsOf(await claim(kit, 100)).toSorted()).toEqual(expected.toSorted());
      }),
      { numRuns: 30 },
    );
  });

  test('of a failed one runs so long as it is postponed, and keeps its count', async () => {
    const id = await due();
    const kit = bed.open();
    const failed = await claimOne(kit);
    await postpone(kit.database, 'alarm', failed, 1_000_000);
    expect(idsOf(await claim(kit))).toEqual([]);
    const [{ left = Number.NaN } = {}] = await leases();
    expect([left > 900_000, left <= 1_000_000]).toEqual([true, true]);
    await end();
    const again = await claimOne(kit);
    expect(again).toMatchObject({ id, claims: 2 });
    await postpone(kit.database, 'alarm', failed, 0);
    expect(idsOf(await claim(kit)), 'what another holds is not postponed').toEqual([]);
    await postpone(kit.database, 'alarm', again, 3_600_000);
    expect((await leases())[0]?.left, 'longer than any lease').toBeGreaterThan(3_500_000);
    expect(idsOf(await claim(kit))).toEqual([]);
  });

  test('of what has nothing due any more is forgotten once it is over', async () => {
    const [gone, there, held] = [await due(), await due(), await due()];
    const kit = bed.open();
    await claim(kit, 10, 50);
    await sleep(60);
    await bed.sql('update lease set until = until + interval $$1 hour$$ where id = $1', [held]);
    await bed.sql('delete from schedule where id = any($1)', [[gone, held]]);
    await forgetOld(kit.database, 'alarm');
    expect((await leases()).map(({ id }) => id).toSorted()).toEqual([there, held].toSorted());
  });
});

describe('what was done under a token', () => {
  const settle = (kit = bed.open(), { release }: Claim) =>
    kit.commands.executor.commit({
      ...commitOf(),
      take: [{ scope: 'effect', value: randomUUID(), holder: 'test' }],
      writes: [release],
    });
  const effects = async () => (await bed.sql(`delete from reservation where scope = 'effect' returning 1`)).length;

  test('is committed once, and ends the lease with it', async () => {
    await due();
    const kit = bed.open();
    const mine = await claimOne(kit);
    expect(await settle(kit, mine)).toEqual({ verdict: 'accepted' });
    expect(await leases()).toEqual([]);
    expect(await effects()).toBe(1);
    expect(await settle(kit, mine)).toEqual({ verdict: 'missed' });
    expect(await effects()).toBe(0);
  });

  test('is committed even when the lease is over, if nobody took over', async () => {
    await due();
    const kit = bed.open();
    const late = await claimOne(kit, 30);
    await sleep(50);
    expect(await settle(kit, late)).toEqual({ verdict: 'accepted' });
    expect(await effects()).toBe(1);
  });

  test('is not committed once another took over: a worker that was frozen past its lease commits nothing', async () => {
    await due();
    const [frozen, heir] = [bed.open(), bed.open()];
    const old = await claimOne(frozen, 30);
    await sleep(50);
    const taken = await claimOne(heir);
    expect(await settle(frozen, old)).toEqual({ verdict: 'missed' });
    expect(await effects()).toBe(0);
    expect(await settle(heir, taken)).toEqual({ verdict: 'accepted' });
    expect(await settle(frozen, old)).toEqual({ verdict: 'missed' });
    expect(await effects()).toBe(1);
  });

  test('nor when the same worker claimed it anew: each claim stands for itself', async () => {
    await due();
    const kit = bed.open();
    const old = await claimOne(kit, 30);
    await sleep(50);
    const anew = await claimOne(kit);
    expect(await settle(kit, old)).toEqual({ verdict: 'missed' });
    expect(await settle(kit, anew)).toEqual({ verdict: 'accepted' });
    expect(await effects()).toBe(1);
  });
});
