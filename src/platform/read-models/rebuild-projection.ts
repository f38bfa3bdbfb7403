/**
 * Makes the table of an asynchronous projection (or of a policy's state) anew from the bus, beside the one that serves;
 * the steps are those of rebuild.ts. Nothing is decided and nothing is sent: only rows are folded. The copy hears just
 * what the consumer has dealt with, so when its writes are held up for the switch, both tables have been made of the same
 * events, and it goes on with the new one.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { rowStatements } from '../commit/batch.ts';
import type { EventBus } from '../event-bus/bus.ts';
import { type Consumer, sourcesOf } from '../event-bus/consumer.ts';
import type { Delivered, Delivery } from '../event-bus/delivery.ts';
import { follow } from '../event-bus/follow.ts';
import { readDeliveries } from '../event-bus/read.ts';
import { refusalOf } from '../resilience/refusal.ts';
import { type Database, type Session, statement } from '../sql/database.ts';
import type { Progress, Rebuilt } from './rebuild.ts';
import { claimRebuild, copyName } from './rebuild-state.ts';
import type { Opening } from './replay.ts';
import { switchToCopy } from './switch.ts';
import { table as tableOf } from './table.ts';
import { createCopy, indexCopy, shapeOf, type TableShape } from './table-copy.ts';
import type { Difference } from './verify.ts';

export type ProjectionRebuild = {
  /** As the owner of the tables, without a statement timeout, in the schema of the consumer's service. */
  readonly database: Pick<Database, 'openSession'>;
  /** Knows every public event. */
  readonly opening: Opening;
  readonly bus: EventBus;
  readonly consumer: Consumer;
  readonly report?: (progress: Progress) => void;
  readonly failPoint?: (name: string) => void;
};

const SWITCHES = 10;
/** So many events may be left for the moment in which the consumer waits. */
const LAST = 600;

/** When it returns, the table is what the events say that its consumer has dealt with. Throws RebuildRunning. */
export const rebuildProjection = (options: ProjectionRebuild): Promise<Rebuilt> =>
  withCopy(options, async ({ session, name, copy, shape, hear, enter, done }) => {
    const { failPoint = () => undefined } = options;
    for (let attempt = 1; attempt <= SWITCHES; attempt += 1) {
      enter('catch up');
      await hear();
      enter('switch');
      const held = await switchToCopy({ session, name, copy, shape, redo: () => hear(LAST), failPoint });
      if (held !== undefined) {
        const { rows } = await session.query<{ rows: number }>(`select count(*) as rows from ${name}`);
        return { rows: rows[0]?.rows ?? 0, events: done().events, held };
      }
      await pause(attempt * 100);
    }
    throw new Error(`${name} could not be switched: too much is written just now`);
  });

/** Every row that differs from what the events say; the consumer's writes are held up for the comparison alone. */
export const verifyProjection = (options: ProjectionRebuild): Promise<readonly Difference[]> =>
  withCopy(options, async ({ session, name, copy, hear }) => {
    await hear();
    await session.query(
      `begin; set local statement_timeout = '1500ms'; lock table ${name} in share row exclusive mode`,
    );
    await hear();
    const { rows } = await session.query<{ id: string; here: boolean; there: boolean }>(
      statement(
        `${name}-verify`,
        `select coalesce(live.id, copy.id) as id, live.id is not null as here, copy.id is not null as there
         from ${name} live full join ${copy} copy on copy.id = live.id where live is distinct from copy`,
      ),
    );
    await session.query('rollback');
    await session.query(`drop table ${copy}`);
    return rows.map(({ id, here, there }) => ({ id, fault: !here ? 'missing' : there ? 'different' : 'surplus' }));
  });

type Copied = {
  readonly session: Session;
  readonly name: string;
  readonly copy: string;
  readonly shape: TableShape;
  /** Folds into the copy what the consumer has dealt with since; false, and not all of it, when that is more than `most`. */
  readonly hear: (most?: number) => Promise<boolean>;
  /** From now on, this is what progress is reported of. */
  readonly enter: (step: Progress['step']) => void;
  readonly done: () => Omit<Progress, 'step'>;
};

/** A copy of the consumer's table, with its indexes, made of nearly all that the consumer has dealt with. */
const withCopy = async <T>(options: ProjectionRebuild, run: (copied: Copied) => Promise<T>): Promise<T> => {
  const { database, consumer, opening, bus, report = () => undefined, failPoint = () => undefined } = options;
  const { name } = consumer.table;
  const copy = copyName(name);
  const session = await database.openSession();
  const posts = sourcesOf(opening.catalog, consumer).map(({ source, topics }) => {
    const reader = bus.replay(source, topics);
    return { reader, news: follow(reading(session), reader, { consumer: consumer.name, source }) };
  });
  try {
    await claimRebuild(session, name);
    await session.query(`drop table if exists ${copy}`);
    const shape = await shapeOf(session, name);
    await createCopy(session, name, copy, shape);
    const fold = folding(session, options, copy);
    let events = 0;
    let step: Progress['step'] = 'fill';
    const done = () => ({ rows: 0, events, total: 0 });
    const enter = (next: Progress['step']): void => {
      step = next;
      report({ step, ...done() });
    };
    const hear = async (most = Number.POSITIVE_INFINITY): Promise<boolean> => {
      let heard = 0;
      for (const { news } of posts) {
        for await (const deliveries of news()) {
          events += await fold(deliveries);
          failPoint('rebuild-fill');
          report({ step, ...done() });
          heard += deliveries.length;
          if (heard > most) return false;
        }
      }
      return true;
    };
    await hear();
    enter('index');
    await indexCopy(session, copy, shape);
    return await run({ session, name, copy, shape, hear, enter, done });
  } finally {
    await Promise.all(posts.map(({ reader }) => reader.close()));
    await session.close();
  }
};

/** Writes what deliveries make of the copy's rows; answers how many of them were the consumer's. */
const folding = (session: Session, { consumer, opening }: ProjectionRebuild, copy: string) => {
  const into = tableOf(copy, consumer.table.columns);
  const types = new Set(consumer.types);
  const write = async (events: readonly Delivered[]): Promise<void> => {
    const writes = await consumer.fold(reading(session), into, events);
    for (const { statement, values } of rowStatements(writes)) await session.query(statement, values);
  };
  return async (deliveries: readonly Delivery[]): Promise<number> => {
    const readings = await readDeliveries(opening.catalog, opening.keys, types, deliveries);
    const events = readings.filter((reading) => reading.kind === 'event').map(({ event }) => event);
    try {
      await write(events);
    } catch (error) {
      if (refusalOf(error) !== undefined) throw error;
      for (const event of events) await orDiscarded(() => write([event]));
    }
    return events.length;
  };
};

/** An event that the consumer has dealt with, and that cannot be folded, is one that an operator has discarded. */
const orDiscarded = async (write: () => Promise<void>): Promise<void> => {
  try {
    await write();
  } catch (error) {
    if (refusalOf(error) !== undefined) throw error;
  }
};

const reading = (session: Session): Pick<Database, 'read'> => ({
  read: async (statement, values) => (await session.query<never>(statement, values)).rows,
});
