/** A store that lost its newest events gets them back from what was carried elsewhere, or nothing where that cannot be right. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { handle } from '../../src/platform/commit/command-handler.ts';
import type { Delivery } from '../../src/platform/event-bus/delivery.ts';
import { readFeed } from '../../src/platform/event-bus/feed.ts';
import { chain } from '../../src/platform/event-bus/lanes.ts';
import { openLogBus } from '../../src/platform/event-bus/log-bus.ts';
import { openRelay, readCheckpoint } from '../../src/platform/event-bus/relaying.ts';
import { endRestore, restoreFromBus } from '../../src/platform/event-bus/restore.ts';
import { FEED_START } from '../../src/platform/event-store/event.ts';
import { laneOf } from '../../src/platform/event-store/lane.ts';
import type { ServiceKit } from '../../src/platform/lifecycle/service-kit.ts';
import { openDatabase, type Session } from '../../src/platform/sql/database.ts';
import { createLogger } from '../../src/platform/telemetry/logger.ts';
import { until } from '../support/until.ts';
import { busBed } from './bus/bed.ts';
import { context, notes, openNotes, SCHEMA } from './notes.ts';

const bed = busBed((producer, address) =>
  openLogBus({ note: { address, schema: SCHEMA, committed: producer.committed } }, 'test bus'),
);
let owner: Session;
let close: () => Promise<void>;
beforeAll(async () => {
  const database = openDatabase({
    address: bed.address(),
    schema: SCHEMA,
    statementTimeout: 0,
    applicationName: 'test owner',
    connections: 1,
  });
  owner = await database.openSession();
  close = database.close;
});
afterAll(async () => {
  await owner.close();
  await close();
});

const kit = (): ServiceKit => bed.producer();
const feed = async (): Promise<readonly Delivery[]> => {
  await bed.shown();
  const events = await readFeed(kit().database, FEED_START, 1_000);
  return chain({ start: FEED_START, cursors: new Map(), lanes: new Map() }, events);
};
/** What a relay sends until it has nothing left. */
const published = async ({ database, committed }: ServiceKit = kit()): Promise<readonly Delivery[]> => {
  const sent: Delivery[] = [];
  const publisher = {
    newest: async () => [],
    send: async (_source: string, deliveries: readonly Delivery[]) => void sent.push(...deliveries),
  };
  const relay = openRelay({ source: 'note', database, publisher, committed, logger: createLogger('silent') });
  try {
    await relay.start();
    await until('all to be published', async () => (await relay.health()).backlog.events === 0);
  } finally {
    await relay.stop();
  }
  return sent;
};
/** As a restored backup would be: without what the condition names. */
const lose = async (condition: string): Promise<void> => {
  await bed.sql(`alter table ${SCHEMA}.event disable trigger event_unchanged`);
  await bed.sql(`delete from ${SCHEMA}.event where ${condition}`);
  await bed.sql(`alter table ${SCHEMA}.event enable trigger event_unchanged`);
};
/** As the command does, but for the rows. */
const restore = async (held: readonly Delivery[]) => {
  const report = await restoreFromBus(
    owner,
    async function* () {
      yield held;
    },
    () => undefined,
  );
  await endRestore(kit().database);
  return report;
};
const placesOf = (events: readonly Delivery[]) => events.map(({ at, envelope }) => ({ ...at, id: envelope.id }));
const erasOf = async () =>
  (await bed.sql<{ number: number }>(`select number from ${SCHEMA}.era order by number`)).length;

describe('a store that was set back', () => {
  let ids: readonly string[];
  beforeEach(async () => {
    ids = [await bed.say('1', '2', '3'), await bed.say('1', '2')];
  });

  test('has again what it lost, at its old places, and goes on behind it', async () => {
    const before = await feed();
    const eras = await erasOf();
    await lose(`stream = 'note-${ids[0]}' and version > 1 or stream = 'note-${ids[1]}'`);
    const report = await restore(before);
    expect(report).toMatchObject({ onBus: before.length, inserted: 4 });
    expect([...report.streams].toSorted()).toEqual(ids.map((id) => `note-${id}`).toSorted());
    expect(placesOf(await feed())).toEqual(placesOf(before));
    expect(await erasOf()).toBe(eras + 1);

    const checkpoint = await readCheckpoint(kit().database);
    const last = before.at(-1);
    expect(checkpoint.position).toEqual(last?.at);
    expect(checkpoint.lanes.get(`${last?.topic}/${last?.lane}`)).toEqual(last?.at);
    expect((await kit().commands.store.load(`note-${ids[0]}`)).map(({ meta }) => meta.version)).toEqual([1, 2, 3]);
  });

  test('twice is once', async () => {
    const before = await feed();
    await lose(`stream = 'note-${ids[1]}' and version = 2`);
    await restore(before);
    expect(await restore(before)).toMatchObject({ inserted: 0, streams: [] });
    expect(placesOf(await feed())).toEqual(placesOf(before));
  });

  test('takes nothing where something is missing in between', async () => {
    const before = await feed();
    const gap = before.filter(({ envelope }) => envelope.stream !== `note-${ids[0]}` || envelope.version !== 2);
    await lose(`stream = 'note-${ids[0]}' and version > 1`);
    const left = placesOf(await feed());
    await expect(restore(gap)).rejects.toThrow(`note-${ids[0]}@2 is neither in the store nor on the bus`);
    expect(placesOf(await feed())).toEqual(left);
    await restore(before);
  });

  test('takes nothing where it was written to since', async () => {
    const before = await feed();
    const other = before.map((event) =>
      event.envelope.stream === `note-${ids[1]}` && event.envelope.version === 2
        ? { ...event, envelope: { ...event.envelope, id: '0198c0de-0000-7000-8000-00000000000f' } }
        : event,
    );
    await expect(restore(other)).rejects.toThrow(`note-${ids[1]}@2 is another event in the store than on the bus`);
    expect(placesOf(await feed())).toEqual(placesOf(before));
  });
});

describe('what the bus lacks', () => {
  test('is published after a restore though the bus has what comes after it: as it would have been, and no more than what follows', async () => {
    await published();
    const first = await bed.say('before');
    const missing = await bed.say('no leader took it');
    const sayElsewhere = async (): Promise<string> => {
      const id = await bed.say('another leader did');
      return laneOf(id) === laneOf(missing) ? sayElsewhere() : id;
    };
    const last = await sayElsewhere();
    const before = await feed();
    const from = before.findIndex(({ envelope }) => envelope.stream === `note-${missing}`);
    expect(before[from - 1]?.envelope.stream).toBe(`note-${first}`);
    await lose(`stream = 'note-${last}'`);
    const report = await restore(before.filter(({ lane }, n) => n < from || lane !== laneOf(missing)));
    expect(report).toMatchObject({ inserted: 1 });

    expect(await published()).toEqual(before.slice(from));
    expect((await readCheckpoint(kit().database)).position).toEqual(before.at(-1)?.at);
    expect(await published()).toEqual([]);
  });
});

describe('a store that was lost altogether', () => {
  /** Answers what the bus holds of it: of another cluster, which had come further. */
  const loseAll = async (): Promise<readonly Delivery[]> => {
    const held = (await feed()).map((event) => {
      const tx = String(BigInt(event.at.tx) + 1_000_000_000_000n);
      return { ...event, at: { ...event.at, tx } };
    });
    await lose('true');
    await bed.sql(`delete from ${SCHEMA}.era`);
    await bed.sql(`update ${SCHEMA}.relay set era = 0, tx = '0', position = 0`);
    await bed.sql(`delete from ${SCHEMA}.relay_lane`);
    return held;
  };
  /** In a process that begins now. */
  const anew = (run: (kit: ServiceKit) => Promise<readonly Delivery[]>): Promise<readonly Delivery[]> => {
    const opened = openNotes(bed.address());
    return run(opened).finally(opened.close);
  };
  const write = ({ commands }: ServiceKit) => {
    const command = { type: 'Write', ownerId: 'ada', text: 'from now on' } as const;
    return handle(commands, notes, randomUUID(), command, context(), { isNew: true });
  };
  const writeAndPublish = () =>
    anew(async (opened) => {
      await write(opened);
      return published(opened);
    });

  test('has all of it again; what is written from now on comes behind, and is published', async () => {
    await bed.say('1', '2');
    const held = await loseAll();
    expect(await restore(held)).toMatchObject({ inserted: held.length });
    expect(
      await bed.sql(`select (select max(number) from ${SCHEMA}.era) > (select max(era) from ${SCHEMA}.event) as later`),
    ).toEqual([{ later: true }]);

    const sent = await writeAndPublish();
    const now = await feed();
    expect(placesOf(now).slice(0, -1)).toEqual(placesOf(held));
    expect(placesOf(sent)).toEqual(placesOf(now).slice(-1));
  });

  test('is neither written to nor published from where the command was broken off, until it was run again', async () => {
    await bed.say('1', '2');
    const held = await loseAll();
    let reads = 0;
    const broken = restoreFromBus(
      owner,
      async function* () {
        yield held;
        reads += 1;
        if (reads === 2) throw new Error('broken off');
      },
      () => undefined,
    );
    await expect(broken).rejects.toThrow('broken off');
    await expect(published()).rejects.toThrow('bringing back what the broker holds has not ended');

    const written = await anew(async (withoutBroker) => {
      await write(withoutBroker);
      return feed();
    });
    expect(placesOf(written).slice(0, -1)).toEqual(placesOf(held));
    expect(await restore(held)).toMatchObject({ inserted: 0 });
    const sent = await writeAndPublish();
    const now = await feed();
    expect(placesOf(now).slice(0, -1)).toEqual(placesOf(written));
    expect(placesOf(sent)).toEqual(placesOf(now).slice(-2));
  });
});
