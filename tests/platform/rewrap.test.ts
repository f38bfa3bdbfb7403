/** What lies under an old MASTER_KEY comes under a new one, while keys are made, used and destroyed. */
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type KeyRing, openKeyRing, SubjectErased } from '../../src/platform/keys/key-ring.ts';
import { census, type Progress, rewrap } from '../../src/platform/keys/rewrap.ts';
import { type Database, openDatabase } from '../../src/platform/sql/database.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { until } from '../support/until.ts';
import { upTo } from './bed.ts';

const OLD = 'the old master key of 32 bytes or more';
const NEW = 'the new master key of 32 bytes or more';
const STRANGE = 'a master key of 32 bytes that nobody gave';

let server: TestDatabase;
/** As a service sees it, and as the owner does. */
let keys: Database;
let database: Database;
beforeAll(async () => {
  server = await createTestDatabase();
  const common = { address: server.address, schema: 'keys', applicationName: 'test', connections: 1 };
  keys = openDatabase({ ...common, role: 'keys', statementTimeout: 5_000 });
  database = openDatabase({ ...common, statementTimeout: 0 });
});
beforeEach(() => server.sql('truncate keys.subject_key'));
afterAll(async () => {
  await Promise.all([keys.close(), database.close()]);
  await server.drop();
});

/** A process that has just started: it remembers no key. */
const ringOf = (...secrets: readonly string[]): KeyRing => openKeyRing(keys, secrets.join(','));
const BOTH = `${NEW},${OLD}`;
const countOf = (masterKey: string) => census({ database, masterKey });
const hexOf = async (ring: KeyRing, subject: string) => (await ring.keyFor(subject)).export().toString('hex');
const person = () => `person-${randomUUID()}`;
/** So many people, with the key of each. */
const people = async (count: number, ...secrets: readonly string[]): Promise<ReadonlyMap<string, string>> => {
  const ring = ringOf(...secrets);
  const made = upTo(count).map(async () => {
    const subject = person();
    return [subject, await hexOf(ring, subject)] as const;
  });
  return new Map(await Promise.all(made));
};
/** That the given secrets open each of them, to what it was. */
const expectAll = async (all: ReadonlyMap<string, string>, ...secrets: readonly string[]): Promise<void> => {
  const keyOf = await ringOf(...secrets).keysOf([...all.keys()]);
  for (const [subject, hex] of all) {
    const key = keyOf(subject);
    expect(key === 'destroyed' ? key : key?.export().toString('hex')).toBe(hex);
  }
};
const DESTROY = 'update keys.subject_key set wrapped = null, destroyed_at = now() where subject = $1';
const destroy = (subject: string) => server.sql(DESTROY, [subject]);

describe('a key ring with two secrets', () => {
  test('opens what either wrapped, and wraps with the first', async () => {
    const old = await people(2, OLD);
    await expectAll(old, NEW, OLD);
    const fresh = await people(2, NEW, OLD);
    await expectAll(fresh, NEW);
    expect(await countOf(BOTH)).toEqual({ under: [2, 2], none: 0 });
  });

  test('says which setting is wrong where neither opens it', async () => {
    const [subject = ''] = (await people(1, STRANGE)).keys();
    const ring = ringOf(NEW, OLD);
    await expect(ring.keyFor(subject)).rejects.toThrow('lies under none of the secrets in MASTER_KEY');
    await expect(ring.keysOf([subject])).rejects.toThrow('lies under none of the secrets in MASTER_KEY');
  });

  test('copies of which each knows both read what the others make, whichever is first', async () => {
    const [prepared, changed] = [ringOf(OLD, NEW), ringOf(NEW, OLD)];
    const [one, other] = [person(), person()];
    expect(await hexOf(changed, one)).toBe(await hexOf(prepared, one));
    expect(await hexOf(prepared, other)).toBe(await hexOf(changed, other));
  });
});

describe('wrapping anew', () => {
  test('brings every key under the first, and changes none', async () => {
    const all = await people(1_203, OLD);
    const shown: Progress[] = [];
    const told = await rewrap({ database, masterKey: BOTH, report: (progress) => shown.push(progress) });
    expect(told).toEqual({ wrapped: 1_203, under: [1_203, 0], none: 0 });
    await expectAll(all, NEW);
    for (const step of ['wrap', 'count'] as const) {
      const keys = shown.filter((progress) => progress.step === step).map((progress) => progress.keys);
      expect(keys).toEqual([0, 500, 1_000, 1_203]);
    }
    expect(new Set(shown.map(({ total }) => total))).toEqual(new Set([1_203]));
  });

  test('a second time finds nothing to do, and writes nothing', async () => {
    await people(3, OLD);
    await rewrap({ database, masterKey: BOTH });
    const rows = () => server.sql('select xmin::text, subject, wrapped from keys.subject_key order by subject');
    const before = await rows();
    expect(await rewrap({ database, masterKey: BOTH })).toEqual({ wrapped: 0, under: [3, 0], none: 0 });
    expect(await rows()).toEqual(before);
  });

  test('broken off after a page, the next run does the rest', async () => {
    const all = await people(1_100, OLD);
    let pages = 0;
    const failPoint = () => {
      pages += 1;
      if (pages === 2) throw new Error('broken off');
    };
    await expect(rewrap({ database, masterKey: BOTH, failPoint })).rejects.toThrow('broken off');
    expect(await countOf(BOTH)).toEqual({ under: [1_000, 100], none: 0 });
    await expectAll(all, NEW, OLD);
    expect(await rewrap({ database, masterKey: BOTH })).toEqual({ wrapped: 100, under: [1_100, 0], none: 0 });
    await expectAll(all, NEW);
  });

  test('a destroyed key stays destroyed, and is none', async () => {
    const all = new Map(await people(3, OLD));
    const [ada = ''] = all.keys();
    await destroy(ada);
    const row = () => server.sql('select * from keys.subject_key where subject = $1', [ada]);
    const before = await row();
    expect(await rewrap({ database, masterKey: BOTH })).toEqual({ wrapped: 2, under: [2, 0], none: 0 });
    expect(await row()).toEqual(before);
    await expectAll(all.set(ada, 'destroyed'), NEW);
    await expect(ringOf(NEW).keyFor(ada)).rejects.toBeInstanceOf(SubjectErased);
  });

  test('a key that is destroyed between being read and being written stays destroyed', async () => {
    const all = new Map(await people(3, OLD));
    const [ada = ''] = all.keys();
    const other = new pg.Client(server.address);
    await other.connect();
    await other.query('begin');
    await other.query(DESTROY, [ada]);
    const running = rewrap({ database, masterKey: BOTH }); // reads what is not committed as it was before
    await waitsForLock();
    await other.query('commit');
    await other.end();
    expect(await running).toEqual({ wrapped: 2, under: [2, 0], none: 0 });
    await expectAll(all.set(ada, 'destroyed'), NEW);
  });

  test('two runs at once wrap each key once', async () => {
    const all = await people(1_200, OLD);
    const runs = await Promise.all([1, 2, 3].map(() => rewrap({ database, masterKey: BOTH })));
    expect(runs.reduce((sum, { wrapped }) => sum + wrapped, 0)).toBe(1_200);
    for (const { under, none } of runs) expect({ under, none }).toEqual({ under: [1_200, 0], none: 0 });
    await expectAll(all, NEW);
  });

  test('what a copy makes under the old one meanwhile is told, and comes under the first by the next run', async () => {
    const all = await people(3, OLD);
    const late = person();
    let sessions = 0;
    const watched = {
      openSession: async () => {
        sessions += 1;
        if (sessions === 2) await ringOf(OLD).keyFor(late); // all were wrapped, and are to be counted
        return database.openSession();
      },
    };
    expect(await rewrap({ database: watched, masterKey: BOTH })).toEqual({ wrapped: 3, under: [3, 1], none: 0 });
    expect(await rewrap({ database, masterKey: BOTH })).toEqual({ wrapped: 1, under: [4, 0], none: 0 });
    await expectAll(all, NEW);
  });

  test('a key under a secret that nobody gave, and a damaged one, are left as they are, and counted', async () => {
    const [strange, all] = [await people(2, STRANGE), await people(3, OLD)];
    const [damaged = ''] = all.keys();
    await server.sql(`update keys.subject_key set wrapped = '\\x00' where subject = $1`, [damaged]);
    expect(await rewrap({ database, masterKey: BOTH })).toEqual({ wrapped: 2, under: [2, 0], none: 3 });
    await expectAll(strange, STRANGE);
    // Once the secret is given too, they are found.
    expect(await rewrap({ database, masterKey: `${BOTH},${STRANGE}` })).toEqual({
      wrapped: 2,
      under: [4, 0, 0],
      none: 1,
    });
  });
});

const waitsForLock = () =>
  until('somebody to wait for the row', async () => {
    const waiting = await server.sql(
      `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    );
    return waiting.length > 0;
  });
