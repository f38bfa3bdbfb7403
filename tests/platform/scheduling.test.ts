/** Workers and timers on the real database: what is due is done, once, whatever becomes of those who do it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { derivedId } from '../../src/platform/keys/ids.ts';
import type { ServiceKit } from '../../src/platform/lifecycle/service-kit.ts';
import { type Claim, claimDue } from '../../src/platform/scheduling/claims.ts';
import type { Work, Worker } from '../../src/platform/scheduling/worker.ts';
import { createLogger } from '../../src/platform/telemetry/logger.ts';
import { metrics } from '../../src/platform/telemetry/metrics.ts';
import { until } from '../support/until.ts';
import { ALARM_TABLE, inMs, openAlarms, ring, ringInProcess, setAlarm, startRinging } from './alarms.ts';
import { testBed, upTo } from './bed.ts';
import { commitOf } from './notes.ts';
import { openProxy } from './proxy.ts';

const bed = testBed(undefined, openAlarms);
beforeAll(() => bed.sql(ALARM_TABLE));
beforeEach(() => bed.sql('truncate schedule, lease'));

const workers: Worker[] = [];
const start = (...given: Parameters<typeof startRinging>): Worker => {
  const worker = startRinging(...given);
  workers.push(worker);
  return worker;
};
const stopAll = () => Promise.all(workers.splice(0).map((worker) => worker.stop()));
afterEach(stopAll);

const logged = () => {
  const lines: { msg: string; stream: string; count: number; ms: number; error: { name: string; message: string } }[] =
    [];
  return { lines, logger: createLogger('info', { write: (line: string) => void lines.push(JSON.parse(line)) }) };
};
const streamOf = (id: string) =>
  bed.sql<{ id: string; type: string; late: number; metadata: Record<string, string> }>(
    `select id, type, metadata, (extract(epoch from recorded_at - (data ->> 'at')::timestamptz) * 1000)::float8 as late
     from event where stream = $1 order by version`,
    [`alarm-${id}`],
  );
const ringsOf = async (ids: readonly string[]): Promise<readonly number[]> => {
  const rows = await bed.sql<{ stream: string }>(`select stream from event where type = 'alarm.rang'`);
  return ids.map((id) => rows.filter(({ stream }) => stream === `alarm-${id}`).length);
};
const rings = async (id: string) => (await ringsOf([id]))[0];
const rang = (...ids: readonly string[]) =>
  until('the alarms to ring', async () => (await ringsOf(ids)).every((times) => times > 0));
const left = async () => {
  const [row] = await bed.sql(
    'select (select count(*) from schedule)::int as schedule, (select count(*) from lease)::int as lease',
  );
  return row;
};
const leases = () =>
  bed.sql<{ claims: number; left: number }>(
    'select claims, (extract(epoch from until - clock_timestamp()) * 1000)::float8 as left from lease',
  );
/** Settles a claim by doing nothing: it is due no more. */
const settle = ({ commands }: ServiceKit, { id, release }: Claim) => {
  const done = {
    statement: { name: 'test-done', text: 'delete from schedule where id = $1' },
    values: [id],
    expect: 1,
  };
  return commands.executor.commit({ ...commitOf(), writes: [done, release] });
};
const claimOf = async ({ database }: ServiceKit, lease: number): Promise<Claim> => {
  const { claims } = await claimDue(database, 'alarm', 1, lease);
  const [claim] = claims;
  if (claim === undefined) throw new Error('there was nothing to claim');
  return claim;
};

const BROKEN = [
  ['mute', /^alarm-.* was due at .*, and nothing came of it$/],
  ['jammed', /^the timer of alarm-.* was refused: alarm-jammed$/],
] as const;

describe('a timer fires', () => {
  test('once, not before its time, though two workers wait for it, as part of the request that set it', async () => {
    const [one, other] = [bed.open(), bed.open()];
    for (const kit of [one, other]) start(kit);
    const id = await setAlarm(one, { at: inMs(400) });
    await rang(id);
    await sleep(200);
    const [set, rung, ...more] = await streamOf(id);
    expect(more).toEqual([]);
    expect(rung?.late).toBeGreaterThanOrEqual(0);
    expect(rung?.metadata).toMatchObject({
      actor: 'alarm-service',
      causationId: set?.id,
      correlationId: set?.metadata.correlationId,
      requestId: set?.metadata.requestId,
    });
    expect(rung?.id, 'derived from what led to it, so that it is recognised').toBe(
      derivedId(set?.id ?? '', 'alarm-service', '1'),
    );
    expect(await left()).toEqual({ schedule: 0, lease: 0 });
  });

  test('once for each of 150, though two processes of their own wait for all of them', async () => {
    const ringers = upTo(2).map(() => ringInProcess({ address: bed.address(), lease: 5_000 }));
    try {
      const kit = bed.open();
      const ids = await Promise.all(upTo(150).map((n) => setAlarm(kit, { at: inMs(n * 8) })));
      await rang(...ids);
      await sleep(200);
      expect(new Set(await ringsOf(ids))).toEqual(new Set([1]));
      expect(await left()).toEqual({ schedule: 0, lease: 0 });
    } finally {
      for (const { signal } of ringers) signal('SIGKILL');
      await Promise.all(ringers.map(({ ended }) => ended));
    }
  });

  test('when it was due while nobody was there', async () => {
    const id = await setAlarm(bed.open(), { at: inMs(-86_400_000) });
    start(bed.open());
    await rang(id);
    expect(await rings(id)).toBe(1);
  });

  test('not when its stream says otherwise: the schedule is set right, and the claim released', async () => {
    const kit = bed.open();
    const at = inMs(3_600_000);
    const later = await setAlarm(kit, { at });
    const never = await setAlarm(kit, { at: null });
    const yesterday = `now() - interval '1 day'`;
    await bed.sql(`update schedule set due_at = ${yesterday}`);
    await bed.sql(`insert into schedule values ($1, 1, 'alarm', ${yesterday}), ($2, 1, 'alarm', ${yesterday})`, [
      never,
      crypto.randomUUID(),
    ]);
    start(kit);
    await until('all to be set right', async () => JSON.stringify(await left()) === '{"schedule":1,"lease":0}');
    expect(await bed.sql('select id, version, due_at from schedule')).toEqual([
      { id: later, version: 1, due_at: new Date(at) },
    ]);
    expect([await rings(later), await rings(never)]).toEqual([0, 0]);
  });

  test.each(BROKEN)('no more than its backoff allows when it does nothing: %s', async (broken, message) => {
    const kit = bed.open();
    const began = performance.now();
    const id = await setAlarm(kit, { at: inMs(0), broken });
    const { lines, logger } = logged();
    start(kit, {}, logger);
    await until('it to fail', () => lines.length > 0);
    await sleep(200);
    expect(lines[0]).toMatchObject({
      stream: `alarm-${id}`,
      count: 1,
      error: { message: expect.stringMatching(message) },
    });
    const [lease] = await leases();
    const most = 1 + Math.floor((performance.now() - began) / 500); // the least backoff, over on a slow machine
    expect(lines.length).toBeLessThanOrEqual(most);
    expect(lease?.claims).toBeLessThanOrEqual(most);
  });
});

describe('a worker that was frozen past its lease commits nothing', () => {
  test('when another fired meanwhile', async () => {
    const [frozen, heir] = [bed.open(), bed.open()];
    const id = await setAlarm(frozen, { at: inMs(0) });
    const old = await claimOf(frozen, 30);
    await sleep(50);
    const refused = async () => (await metrics.rejections.get()).values;
    const before = await refused();
    await ring(heir)(await claimOf(heir, 5_000));
    await ring(frozen)(old);
    expect(await rings(id)).toBe(1);
    expect(await left()).toEqual({ schedule: 0, lease: 0 });
    expect(await refused(), 'it withdrew its command, which no rule refused').toEqual(before);
  });

  test('when it was frozen between its decision and its commit, and another has only just begun', async () => {
    const [frozen, heir] = [bed.open(), bed.open()];
    const id = await setAlarm(frozen, { at: inMs(0) });
    const thaw = Promise.withResolvers<void>();
    const decided = Promise.withResolvers<void>();
    const { commands } = frozen;
    const commit: typeof commands.executor.commit = async (...given) => {
      decided.resolve();
      await thaw.promise;
      return commands.executor.commit(...given);
    };
    const old = await claimOf(frozen, 500);
    const firing = ring({ ...frozen, commands: { ...commands, executor: { ...commands.executor, commit } } })(old);
    await decided.promise;
    await until('the lease to be over', async () => ((await leases())[0]?.left ?? 0) < 0);
    const taken = await claimOf(heir, 5_000);
    thaw.resolve();
    await firing;
    expect(await rings(id), 'the stream has not changed: the token alone says no').toBe(0);
    await ring(heir)(taken);
    expect(await rings(id)).toBe(1);
  });
});

describe('a worker', () => {
  test('does so many at once and no more, and all of it', async () => {
    const kit = bed.open();
    await Promise.all(upTo(12).map(() => setAlarm(kit, { at: inMs(0) })));
    let running = 0;
    const seen: number[] = [];
    const run = async (claim: Claim) => {
      running += 1;
      seen.push(running);
      await sleep(30);
      await settle(kit, claim);
      running -= 1;
    };
    start(kit, { atOnce: 3, run });
    await until('all to be done', async () => JSON.stringify(await left()) === '{"schedule":0,"lease":0}');
    expect(seen).toHaveLength(12);
    expect(Math.max(...seen)).toBe(3);
  });

  test('begins at once with what its process makes due: ten in a row take less than ten looks of an idle one', async () => {
    const kit = bed.open();
    start(kit);
    const began = performance.now();
    for (let n = 0; n < 10; n += 1) await rang(await setAlarm(kit, { at: inMs(0) }));
    expect(performance.now() - began).toBeLessThan(5_000);
  });

  test('finds what another process makes due, without being told', async () => {
    start(bed.open());
    await rang(await setAlarm(bed.open(), { at: inMs(0) }));
  });

  test('tries again what failed, ever later, and logs where and why', async () => {
    const kit = bed.open();
    const id = await setAlarm(kit, { at: inMs(0) });
    const { lines, logger } = logged();
    const run: Work['run'] = async () => {
      throw new Error('it does not want to');
    };
    start(kit, { run, lease: 60_000 }, logger); // longer than all that it is postponed by
    const waits: Awaited<ReturnType<typeof leases>> = [];
    for (const n of upTo(4)) {
      await until(`failure ${n}`, () => lines.length >= n);
      waits.push(await until('it to be postponed', async () => (await leases()).find(({ left }) => left < 50_000)));
      await bed.sql('update lease set until = now()');
    }
    expect(lines.slice(0, 4)).toEqual(
      upTo(4).map((n) => expect.objectContaining({ stream: `alarm-${id}`, count: n, level: 50 })),
    );
    expect(lines[0]?.error).toMatchObject({ name: 'Error', message: 'it does not want to' });
    for (const { claims, left } of waits) expect(left).toBeLessThanOrEqual(1_000 * 2 ** (claims - 1));
    expect(waits[3]?.left).toBeGreaterThan(waits[0]?.left ?? Number.NaN);
    expect(waits[3]?.left).toBeGreaterThan(2_000);
  });

  test('takes a handler that outlasts its lease for a failed one, and goes on', async () => {
    const kit = bed.open();
    const stuck = await setAlarm(kit, { at: inMs(-1_000) });
    const fine = await setAlarm(kit, { at: inMs(0) });
    const { lines, logger } = logged();
    const run: Work['run'] = (claim) => (claim.id === stuck ? new Promise(() => undefined) : ring(kit)(claim));
    start(kit, { atOnce: 1, lease: 300, run }, logger);
    await rang(fine);
    expect(lines[0]).toMatchObject({ stream: `alarm-${stuck}`, error: { name: 'OverranLease' } });
  });

  test('that dies at the work has died with it counted, and another takes it over when the lease is over', async () => {
    const id = await setAlarm(bed.open(), { at: inMs(0) });
    for (const deaths of upTo(2)) {
      const { ended } = ringInProcess({ address: bed.address(), lease: 500, failPoint: 'after-claim' });
      expect(await ended).toBe('SIGKILL');
      expect(await leases()).toMatchObject([{ claims: deaths }]);
    }
    start(bed.open());
    await rang(id);
    expect(await rings(id)).toBe(1);
    expect(await left()).toEqual({ schedule: 0, lease: 0 });
  });

  test('waits for a database that has fallen silent, and goes on by itself when it speaks again', async () => {
    const proxy = await openProxy(bed.address());
    const { lines, logger } = logged();
    try {
      start(bed.open(proxy.address), {}, logger);
      await rang(await setAlarm(bed.open(), { at: inMs(0) }));
      proxy.breakNext('all-silent', 'lease-claim');
      await until('it to notice', () => lines.length > 0);
      const meanwhile = await setAlarm(bed.open(), { at: inMs(0) });
      await sleep(500);
      expect(await rings(meanwhile)).toBe(0);
      proxy.speak();
      await until('it to go on', async () => (await rings(meanwhile)) === 1, 10_000);
      expect(await rings(meanwhile)).toBe(1);
      await stopAll();
      expect(lines).toMatchObject([
        { msg: 'work waits', work: 'alarm', error: { name: 'DatabaseUnavailable' } },
        { msg: 'work goes on', work: 'alarm' },
      ]);
    } finally {
      await proxy.close();
    }
  });

  test('that is stopped settles what is under way, and claims nothing more', async () => {
    const kit = bed.open();
    const id = await setAlarm(kit, { at: inMs(0) });
    const begun = Promise.withResolvers<void>();
    const run: Work['run'] = async (claim) => {
      begun.resolve();
      await sleep(200);
      await ring(kit)(claim);
    };
    const worker = start(kit, { run });
    await begun.promise;
    await worker.stop();
    expect(await rings(id)).toBe(1);
    const late = await setAlarm(kit, { at: inMs(0) });
    await sleep(100);
    expect(await rings(late)).toBe(0);
    expect(await leases()).toEqual([]);
  });

  test('that is stopped waits three seconds for what hangs, and leaves it to its lease', async () => {
    const kit = bed.open();
    await setAlarm(kit, { at: inMs(0) });
    const begun = Promise.withResolvers<void>();
    const run: Work['run'] = () => {
      begun.resolve();
      return new Promise(() => undefined);
    };
    const worker = startRinging(kit, { run });
    await begun.promise;
    const began = performance.now();
    await worker.stop();
    expect(performance.now() - began).toBeLessThan(4_000);
    expect(await leases()).toMatchObject([{ claims: 1 }]);
  });
});
