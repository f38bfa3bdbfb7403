/** A producer of notes and a service that hears of them, on one database: what a suite over any bus is run on. */
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { handle } from '../../../src/platform/commit/command-handler.ts';
import type { EventBus } from '../../../src/platform/event-bus/bus.ts';
import type { Consumer } from '../../../src/platform/event-bus/consumer.ts';
import { type Consumers, openConsumers } from '../../../src/platform/event-bus/consumers.ts';
import { compileCatalog, type EventRegistry } from '../../../src/platform/event-store/catalog.ts';
import { openServiceKit, type ServiceKit } from '../../../src/platform/lifecycle/service-kit.ts';
import type { DatabaseAddress } from '../../../src/platform/sql/connection.ts';
import { createLogger } from '../../../src/platform/telemetry/logger.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { until } from '../../support/until.ts';
import { context, MASTER_KEY, NOTE_EVENTS, NOTE_TABLE, notes, openNotes, SCHEMA } from '../notes.ts';
import { ECHO_EVENTS, HEARD_TABLES, type HeardRow, LISTENER } from './heard.ts';

/** What a suite needs of an adapter: a bus over the producer that writes to `address`. Its notes are the source `note`. */
export type OpenBus = (producer: ServiceKit, address: DatabaseAddress) => EventBus;
/** How another process comes to read for a consumer whose reader still believes that it does. */
type Depose = (bed: Pick<BusBed, 'sql'>, consumer: string) => Promise<void>;
const endLease: Depose = async ({ sql }) =>
  void (await sql(`update consumer_lease set until = now() - interval '1 second'`));

export type Listening = { readonly kit: ServiceKit; readonly consumers: Consumers; readonly bus: EventBus };
export type BusBed = {
  readonly producer: () => ServiceKit;
  readonly sql: TestDatabase['sql'];
  readonly address: () => DatabaseAddress;
  /** Another process of the listening service, but for the process. Stopped after the test. */
  readonly listen: (consumers: readonly Consumer[], registry?: EventRegistry) => Promise<Listening>;
  /** Ends a listener before the test does. */
  readonly stop: (listening: Listening) => Promise<void>;
  readonly depose: (consumer: string) => Promise<void>;
  /** Writes a note, and extends it by more words. Answers its id. */
  readonly say: (words: string, ...more: readonly string[]) => Promise<string>;
  readonly sayAs: (id: string, words: string) => Promise<void>;
  /** Waits until a feed shows all that was said: other tests' writers on the same server hold it back for a moment. */
  readonly shown: () => Promise<void>;
  readonly extend: (id: string, words: string) => Promise<void>;
  /** An event of the note whose data is whatever JSON one likes; as the superuser, who may. */
  readonly damage: (id: string, data: string, forged?: Readonly<Record<string, string | number>>) => Promise<void>;
  readonly heard: () => Promise<ReadonlyMap<string, HeardRow>>;
  /** What was parked of which key, as [key, cause, how many events]. */
  readonly parked: () => Promise<readonly (readonly [string, string, number])[]>;
  /** What the listeners logged since the test began. */
  readonly logged: () => readonly { readonly msg: string; readonly key?: string; readonly count?: number }[];
  /** Makes every parked key due now. */
  readonly hurry: () => Promise<void>;
};

export const busBed = (openBus: OpenBus, depose: Depose = endLease): BusBed => {
  let database: TestDatabase;
  let producer: ServiceKit;
  const running = new Set<Listening>();
  let lines: string[] = [];
  beforeAll(async () => {
    database = await createTestDatabase();
    await database.sql(NOTE_TABLE);
    await database.sql(HEARD_TABLES);
    await database.sql(`set search_path = ${LISTENER}`);
    producer = openNotes(database.address);
  });
  const stop = async (listening: Listening): Promise<void> => {
    if (!running.delete(listening)) return;
    await listening.consumers.stop();
    await listening.bus.close();
    await listening.kit.close();
  };
  afterEach(async () => {
    await Promise.all([...running].map(stop));
    lines = [];
    await database.sql('truncate consumer, heard, echo_list, consumer_lease cascade');
  });
  afterAll(async () => {
    await producer.close();
    await database.drop();
  });

  const extend = async (id: string, words: string): Promise<void> => {
    const extended = await handle(producer.commands, notes, id, { type: 'Extend', text: words }, context());
    if (extended.kind !== 'done') throw new Error(`extending a note: ${extended.kind}`);
  };
  const sayAs = async (id: string, words: string): Promise<void> => {
    const command = { type: 'Write', ownerId: 'ada', text: words } as const;
    await handle(producer.commands, notes, id, command, context(), { isNew: true });
  };
  return {
    producer: () => producer,
    sql: (text, values) => database.sql(text, values),
    address: () => database.address,
    listen: async (consumers, registry = NOTE_EVENTS) => {
      const where = { address: database.address, keysAddress: database.address, schema: LISTENER };
      const kit = openServiceKit({ ...where, name: 'listener', registry: ECHO_EVENTS, masterKey: MASTER_KEY });
      const bus = openBus(producer, database.address);
      const { commands } = kit;
      const catalog = compileCatalog(registry);
      const logger = createLogger('info', { write: (line) => void lines.push(line) });
      const opened = openConsumers({ database: kit.database, commands, bus, catalog, consumers, logger });
      const listening = { kit, consumers: opened, bus };
      running.add(listening);
      await opened.start();
      return listening;
    },
    stop,
    depose: (consumer) => depose({ sql: (text, values) => database.sql(text, values) }, consumer),
    sayAs,
    say: async (words, ...more) => {
      const id = randomUUID();
      await sayAs(id, words);
      for (const one of more) await extend(id, one);
      return id;
    },
    extend,
    shown: async () =>
      void (await until('all to be shown', async () => {
        const [{ held } = { held: true }] = await database.sql<{ held: boolean }>(
          `select exists (select from ${SCHEMA}.event where era = (select max(number) from ${SCHEMA}.era)
             and tx >= pg_snapshot_xmin(pg_current_snapshot())) as held`,
        );
        return !held;
      })),
    damage: async (id, data, { key = null, lane = null, schema_version = 1 } = {}) =>
      void (await database.sql(
        `insert into ${SCHEMA}.event (era, id, stream, version, topic, key, lane, subject, type, schema_version, data, metadata)
         select era, gen_random_uuid(), stream, version + 1, topic, coalesce($3, key), coalesce($4::smallint, lane), subject,
           'note.extended', $5, $2::json, metadata
         from ${SCHEMA}.event where stream = $1 order by version desc limit 1`,
        [`note-${id}`, data, key, lane, schema_version],
      )),
    heard: async () => new Map((await database.sql<HeardRow>('select * from heard')).map((row) => [row.id, row])),
    parked: async () =>
      (
        await database.sql<{ key: string; cause: string; count: number }>(
          `select k.key, cause, count(e)::integer as count from parked_key k join parked_event e using (consumer, source, topic, key)
           group by 1, 2 order by 1`,
        )
      ).map(({ key, cause, count }) => [key, cause, count] as const),
    logged: () => lines.map((line) => JSON.parse(line)),
    hurry: async () => void (await database.sql('update parked_key set next_attempt_at = now()')),
  };
};
