import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { handle } from '../../src/platform/commit/command-handler.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/platform/embedded/postgres.ts';
import { FEED_START } from '../../src/platform/event-store/event.ts';
import type { EventStore } from '../../src/platform/event-store/store.ts';
import type { DatabaseAddress } from '../../src/platform/sql/connection.ts';
import { testBed } from './bed.ts';
import { migratePlatform } from './migrate-platform.ts';
import { context, NOTE_TABLE, notes, SCHEMA } from './notes.ts';

const bed = testBed();
let dataDir: string;
let elsewhere: EmbeddedPostgres;
let there: DatabaseAddress;

beforeAll(async () => {
  dataDir = await mkdtemp(path.join(tmpdir(), 'taskwire-restored-'));
  elsewhere = await startEmbeddedPostgres({ dataDir, report: () => undefined, settings: { fsync: 'off' } });
  there = { ...elsewhere.connection, database: 'restored' };
  await migratePlatform(there);
  await inside(there, (client) => client.query(NOTE_TABLE));
});
afterAll(async () => {
  await elsewhere.stop();
  await rm(dataDir, { recursive: true, force: true });
});

const inside = async (address: DatabaseAddress, run: (client: pg.Client) => Promise<unknown>) => {
  const client = new pg.Client(address);
  await client.connect();
  await run(client).finally(() => client.end());
};
/** Rows as they lie, from one server to the other, with transaction numbers that it has not come to by far. */
const restore = (tables: readonly string[]) =>
  inside(there, async (client) => {
    for (const table of tables) {
      const [{ rows } = { rows: '[]' }] = await bed.sql(
        `select coalesce(json_agg(t), '[]')::text as rows from ${table} t`,
      );
      const moved = JSON.parse(rows).map((row: { tx?: string }) =>
        row.tx === undefined ? row : { ...row, tx: String(Number(row.tx) + 1_000_000_000) },
      );
      await client.query(
        `insert into ${table} overriding system value select * from json_populate_recordset(null::${table}, $1)`,
        [JSON.stringify(moved)],
      );
    }
  });
const whole = async (store: EventStore, atLeast: number) => {
  for (;;) {
    const events = await store.feed(FEED_START, 100);
    if (events.length >= atLeast) return events;
  }
};

describe('a store that was restored into another cluster', () => {
  test('keeps its old events first, as they were, and shows the new ones after them in an era of their own', async () => {
    const before = bed.open();
    const ids = [randomUUID(), randomUUID()];
    for (const id of ids) {
      await handle(before.commands, notes, id, { type: 'Write', ownerId: 'ada', text: 'first' }, context());
    }
    const old = await whole(before.commands.store, 2);
    await restore([`${SCHEMA}.era`, `${SCHEMA}.event`, `${SCHEMA}.note_list`, 'keys.subject_key']);

    const after = bed.open(there);
    const { store } = after.commands;
    expect(await store.feed(FEED_START, 100), 'a reader opens the new era as well as a writer').toHaveLength(
      old.length,
    );
    const [id = ''] = ids;
    const extended = await handle(after.commands, notes, id, { type: 'Extend', text: ' and second' }, context());
    expect(extended).toMatchObject({ kind: 'done', version: 2, row: { text: 'first', length: 16 } });

    const events = await whole(store, 3);
    const unmoved = ({ at, ...event }: (typeof old)[number]) => ({ ...event, era: at.era, position: at.position });
    expect(events.slice(0, 2).map(unmoved)).toEqual(old.map(unmoved));
    expect(events.slice(0, 2).map(({ at }) => BigInt(at.tx) - 1_000_000_000n)).toEqual(
      old.map(({ at }) => BigInt(at.tx)),
    );
    expect(events.slice(2)).toMatchObject([{ stream: `note-${id}`, version: 2, at: { era: 2 } }]);
    expect(BigInt(events[2]?.at.tx ?? 0), 'a smaller number than those before it').toBeLessThan(1_000_000_000n);

    const cursor = events[1]?.at ?? FEED_START;
    expect((await store.feed(cursor, 100)).map(({ version }) => version)).toEqual([2]);
    expect(await store.open(await store.sealed(`note-${id}`))).toHaveLength(2);

    const another = bed.open(there);
    await handle(another.commands, notes, id, { type: 'Extend', text: '!' }, context());
    expect((await whole(another.commands.store, 4)).map(({ at }) => at.era)).toEqual([1, 1, 2, 2]);
  });

  test('and one that went on from an earlier point in time, on a new timeline, opens an era too', async () => {
    const before = await whole(bed.open().commands.store, 2);
    await bed.sql(`update era set timeline = '00000000'`);
    const { commands } = bed.open();
    const written = await handle(
      commands,
      notes,
      randomUUID(),
      { type: 'Write', ownerId: 'eve', text: 'x' },
      context(),
    );
    expect(written.kind).toBe('done');
    const eras = (await whole(commands.store, before.length + 1)).map(({ at }) => at.era);
    expect(eras).toEqual([...before.map(() => 1), 2]);
  });

  test('two processes that come first at once open one era', async () => {
    await bed.sql(`update era set timeline = '00000000'`);
    const kits = Array.from({ length: 6 }, () => bed.open());
    const write = { type: 'Write', ownerId: 'eve', text: 'x' } as const;
    const [{ before } = { before: 0 }] = await bed.sql('select count(*)::integer as before from era');
    await Promise.all(kits.map(({ commands }) => handle(commands, notes, randomUUID(), write, context())));
    const [{ after } = { after: 0 }] = await bed.sql('select count(*)::integer as after from era');
    expect(after).toBe(before + 1);
  });
});
