/** A producer and a consumer in another service, as the rows about events have them: in this process, on either bus. */
import { setTimeout as sleep } from 'node:timers/promises';
import { v7 as uuidv7 } from 'uuid';
import { EVENT_REGISTRY } from '../src/contracts/registry.ts';
import type { TaskEvent } from '../src/contracts/task.ts';
import { handle } from '../src/platform/commit/command-handler.ts';
import type { EventBus } from '../src/platform/event-bus/bus.ts';
import type { Consumer } from '../src/platform/event-bus/consumer.ts';
import { type Consumers, openConsumers } from '../src/platform/event-bus/consumers.ts';
import { openLogBus, type Source } from '../src/platform/event-bus/log-bus.ts';
import { compileCatalog } from '../src/platform/event-store/catalog.ts';
import { openServiceKit, type ServiceKit } from '../src/platform/lifecycle/service-kit.ts';
import { projection } from '../src/platform/read-models/projection.ts';
import { orNull, type RowOf, table, text, uuid } from '../src/platform/read-models/table.ts';
import { createLogger } from '../src/platform/telemetry/logger.ts';
import { TASK_SERVICE } from '../src/services/task/service.ts';
import { USER_SERVICE } from '../src/services/user/service.ts';
import { context, MASTER_KEY, OWNER, openKit, TITLE, tasks } from './kit.ts';
import { type Database, query } from './postgres.ts';

/** Told of the ids of some events once their effects are committed. */
export type Seen = (ids: readonly string[]) => void;
export type Bed = {
  readonly database: Database;
  readonly producer: ServiceKit;
  readonly listen: (seen: Seen) => Promise<Consumers>;
  readonly close: () => Promise<void>;
};

const WRITERS = 32;
const PATIENCE = 120_000;
const columns = { id: uuid(), title: orNull(text<string>()), status: text<'open' | 'completed'>() };
const SEEN = `
  create table ${USER_SERVICE.schema}.bench_seen (id uuid primary key, title text, status text not null);
  grant select, insert, update, delete on ${USER_SERVICE.schema}.bench_seen to ${USER_SERVICE.schema}`;

/** Tasks as another service knows them: a row a task. */
const seenTasks = (seen: Seen): Consumer => {
  type Known = Extract<TaskEvent, { type: 'task.created' | 'task.completed' }>;
  const consumer = projection<RowOf<typeof columns>, Known>('bench.tasks', {
    table: table('bench_seen', columns),
    ids: (_event, { streamId }) => [streamId],
    on: {
      'task.created': (_row, { data }, _about, id) => ({
        id,
        status: 'open',
        title: typeof data.title === 'string' ? data.title : null,
      }),
      'task.completed': (row) => row && { ...row, status: 'completed' },
    },
  });
  const handle: Consumer['handle'] = (kit, events, commit) =>
    consumer.handle(kit, events, async (effects) => {
      const verdict = await commit(effects);
      seen(events.map(({ id }) => id));
      return verdict;
    });
  return { ...consumer, handle };
};

export const logBus = (task: Source): EventBus => openLogBus({ task }, 'bench');

export const openBed = async (database: Database, openBus: (task: Source) => EventBus): Promise<Bed> => {
  const producer = await openKit(database);
  await query(database, SEEN);
  const place = { address: database, keysAddress: database, masterKey: MASTER_KEY };
  const listener = openServiceKit({ ...USER_SERVICE, ...place });
  const bus = openBus({ address: database, schema: TASK_SERVICE.schema, committed: producer.committed });
  return {
    database,
    producer,
    listen: async (seen) => {
      const consumers = openConsumers({
        database: listener.database,
        commands: listener.commands,
        bus,
        catalog: compileCatalog(EVENT_REGISTRY),
        consumers: [seenTasks(seen)],
        logger: createLogger('warn'),
      });
      await consumers.start();
      return consumers;
    },
    close: async () => {
      await bus.close();
      await Promise.all([listener.close(), producer.close()]);
    },
  };
};

export const withConsumer = async <T>(bed: Bed, run: () => Promise<T>, seen: Seen = () => undefined): Promise<T> => {
  const consumers = await bed.listen(seen);
  try {
    return await run();
  } finally {
    await consumers.stop();
  }
};

/** Creates a task; answers the id of its event. */
export const create = async ({ commands }: ServiceKit): Promise<string> => {
  const fields = { title: TITLE, description: null, priority: 'medium', categoryId: null, due: null } as const;
  let event = '';
  const newId = () => {
    event = uuidv7();
    return event;
  };
  const command = { type: 'CreateTask', by: OWNER, fields } as const;
  const outcome = await handle(commands, tasks, uuidv7(), command, { ...context(), newId }, { isNew: true });
  if (outcome.kind !== 'done') throw new Error(`a commit was answered with ${outcome.kind}`);
  return event;
};

/** Many at once, while `goesOn` of how many there are; answers how many a second. */
export const createWhile = async (producer: ServiceKit, goesOn: (made: number) => boolean): Promise<number> => {
  const began = performance.now();
  let made = 0;
  const write = async () => {
    while (goesOn(made)) {
      made += 1;
      await create(producer);
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, write));
  return made / ((performance.now() - began) / 1000);
};

/** As many as go in so many seconds; answers how many a second. */
export const createAll = (producer: ServiceKit, seconds: number): Promise<number> => {
  const end = performance.now() + seconds * 1000;
  return createWhile(producer, () => performance.now() < end);
};

export const eventsIn = async (database: Database): Promise<number> => {
  const text = `select count(*)::integer as count from ${TASK_SERVICE.schema}.event`;
  return (await query<{ count: number }>(database, text))[0]?.count ?? 0;
};

/**
 * Events a second from the beginning of all that was written so far; the consumer is forgotten first. The first commit
 * starts the clock: what came before it was finding its place.
 */
export const catchUp = async (bed: Bed): Promise<number> => {
  await query(bed.database, `truncate ${USER_SERVICE.schema}.consumer, ${USER_SERVICE.schema}.bench_seen cascade`);
  const count = await eventsIn(bed.database);
  let [seen, first, began, ended] = [0, 0, 0, 0];
  await withConsumer(
    bed,
    () => until('a consumer that catches up', () => seen >= count),
    ({ length }) => {
      seen += length;
      ended = performance.now();
      if (began > 0) return;
      began = ended;
      first = length;
    },
  );
  return (count - first) / ((ended - began) / 1000);
};

/** Rejects after two minutes: a bench that waits for ever says nothing. */
export const until = async (what: string, holds: () => boolean | Promise<boolean>): Promise<void> => {
  const deadline = performance.now() + PATIENCE;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`waited ${PATIENCE / 1000} s in vain for ${what}`);
    await sleep(5);
  }
};
