import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { afterEach, describe, expect, test } from 'vitest';
import { readInstance } from '../../src/platform/embedded/instance-lock.ts';
import { asking, newPerson } from '../e2e/support/client.ts';
import { postmasterOf, signalAll } from '../e2e/support/processes.ts';
import { answering, productBed } from '../e2e/support/product.ts';
import { until } from '../e2e/support/until.ts';
import { createTestDatabase } from '../support/database.ts';
import type { StoredEvent } from './ledger.ts';
import { seeded } from './seed.ts';
import { acknowledgedSince, type End, type System, storm } from './storm.ts';

const bed = productBed();
afterEach(bed.clear);
const { seed, between } = seeded();

const product = (dataDir: string): System => ({
  start: (failPoint) => bed.start({ env: { DATA_DIR: dataDir, ...(failPoint && { FAIL_POINT: failPoint }) } }),
  person: async (url) => (await newPerson(url)).token,
  stored: async () => {
    const client = new pg.Client({ ...(await readInstance(dataDir))?.database, database: 'taskwire' });
    await client.connect();
    const { rows } = await client.query<StoredEvent>(
      `select substr(stream, 6) as "taskId", version, metadata ->> 'requestId' as "requestId"
       from task_service.event where stream like 'task-%'`,
    );
    await client.end();
    return rows;
  },
});

const print = (title: string, rows: object): void => {
  const lines = Object.entries(rows).map(([name, value]) => `  ${name.padEnd(26)}${String(value).padStart(8)}`);
  console.log([`${title} (TEST_SEED=${seed})`, ...lines, ''].join('\n'));
};
const nothingWrong = { lost: 0, duplicate: 0, gaps: 0, 'shown otherwise': 0, 'refused but there': 0 };

describe('an acknowledged command is never lost, and done once', () => {
  test('when the server is killed at random moments and around its commits', { timeout: 240_000 }, async () => {
    const atRandom = Array.from({ length: 14 }, (): End => ({ after: between(0, 500) }));
    const atFailPoints = ['before-append', 'after-append', 'after-commit'].flatMap((name) =>
      [1, between(2, 20), between(21, 80)].map((n): End => ({ failPoint: `${name}:${n}` })),
    );
    const { figures, kills, statuses } = await storm(product(await bed.folder()), [...atRandom, ...atFailPoints]);
    print('kill -9 of the server', { kills, ...figures });
    expect(kills).toBeGreaterThanOrEqual(20);
    expect(figures).toMatchObject(nothingWrong);
    // It was under load, was cut off in the middle, and clients did come again.
    expect(figures.acknowledged).toBeGreaterThan(500);
    expect(statuses.get(0)).toBeGreaterThan(kills);
    expect(figures['retried to the end']).toBeGreaterThan(kills);
    expect(figures['unacknowledged but there'], 'answers that a kill swallowed').toBeGreaterThan(0);
  });

  test('when the database is killed, which the server outlives', { timeout: 120_000 }, async () => {
    const dataDir = await bed.folder();
    const kills = 6;
    const { figures, statuses } = await storm(product(dataDir), [], async (server, writers) => {
      for (let kill = 1; kill <= kills; kill += 1) {
        await acknowledgedSince(writers);
        await pause(between(0, 600)); // at a random moment: what is awaited is none
        const postmaster = await until('the database', () => postmasterOf(dataDir));
        signalAll([postmaster], 'SIGKILL');
        await until('the database to be back', () => server.output().split('the database is back').length > kill);
        await acknowledgedSince(writers, 10_000);
      }
      expect(server.running()).toBe(true);
      expect((await asking(server.url)('GET', '/health/ready')).status).toBe(200);
    });
    print('kill -9 of PostgreSQL', { kills, ...figures, 'answered with 503': statuses.get(503) ?? 0 });
    expect(figures).toMatchObject(nothingWrong);
    expect(figures.acknowledged).toBeGreaterThan(200);
    expect(statuses.get(503), 'the database was really away').toBeGreaterThan(0);
    expect([...statuses.keys()].filter((status) => status >= 500 && status !== 503)).toEqual([]);
  });
});

describe('the same ledger finds what is wrong with a naive server', () => {
  const naive = async (habit: string) => {
    const database = await createTestDatabase();
    const system: System = {
      start: (failPoint) =>
        answering(
          bed.program('tests/guarantees/naive-server.ts', [], {
            env: {
              DATABASE: JSON.stringify(database.address),
              HABIT: habit,
              ...(failPoint && { FAIL_POINT: failPoint }),
            },
          }),
        ),
      person: async () => 'nobody asks',
      stored: () =>
        database.sql<StoredEvent>('select task_id as "taskId", version, request_id as "requestId" from naive_event'),
    };
    try {
      const { figures } = await storm(system, [{ failPoint: '20' }, { after: between(0, 300) }, { failPoint: '50' }]);
      print(`a naive server that ${habit}`, figures);
      return figures;
    } finally {
      await bed.clear();
      await database.drop();
    }
  };

  test('that answers before it stores', async () => {
    expect((await naive('answers-first')).lost).toBeGreaterThan(0);
  });

  test('that forgets idempotency keys', async () => {
    expect((await naive('forgets-keys')).duplicate).toBeGreaterThan(0);
  });
});
