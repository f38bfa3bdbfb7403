/** Events of tasks, written behind the product's back: to be held open, or to be unlike any that it writes. */
import { randomUUID } from 'node:crypto';
import { appendArguments } from '../../../src/platform/commit/batch.ts';
import type { NewEvent } from '../../../src/platform/event-store/event.ts';
import { laneOf } from '../../../src/platform/event-store/lane.ts';
import type { Ask } from '../../e2e/support/client.ts';
import { connect, type Sql } from '../../support/sql.ts';
import type { Installation } from '../kit/world.ts';

/** An event without personal fields, for a task that exists. */
export const taskEvent = (taskId: string, version: number, type: string, more: Partial<NewEvent> = {}): NewEvent => ({
  id: randomUUID(),
  stream: `task-${taskId}`,
  version,
  topic: 'task.events',
  key: taskId,
  lane: laneOf(taskId),
  subject: null,
  type,
  schemaVersion: 1,
  data: {},
  metadata: {
    correlationId: randomUUID(),
    causationId: randomUUID(),
    requestId: randomUUID(),
    actor: 'guarantees',
    occurredAt: new Date().toISOString(),
  },
  ...more,
});

/** Tasks of one person, as people make them. */
export const makeTasks = async (ask: Ask, count: number): Promise<readonly string[]> =>
  Promise.all(
    Array.from({ length: count }, async (_, n) => {
      const { status, body } = await ask('POST', '/api/v1/tasks', { body: { title: `raw ${n}` } });
      if (status !== 201) throw new Error(`making a task: ${JSON.stringify(body)}`);
      return String(body?.id);
    }),
  );

const INSERT = `
  insert into task_service.event (era, id, stream, version, topic, key, lane, subject, type, schema_version, data, metadata)
  values ((select max(number) from task_service.era), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`;
/** Puts an event into the store past everything that looks at it; `data` is any JSON text. */
export const plant = async (sql: Sql, event: NewEvent, data = '{}'): Promise<void> => {
  const { id, stream, version, topic, key, lane, subject, type, schemaVersion, metadata } = event;
  await sql(INSERT, [id, stream, version, topic, key, lane, subject, type, schemaVersion, data, metadata]);
};

export type RawWriter = {
  /** Appends in a transaction that stays open. */
  begin(...events: readonly NewEvent[]): Promise<void>;
  end(how: 'commit' | 'rollback'): Promise<void>;
  close(): Promise<void>;
};

export const openRawWriter = async (installation: Installation): Promise<RawWriter> => {
  const schema = 'task_service';
  const client = await connect({
    ...(await installation.address()),
    options: `-c role=${schema} -c search_path=${schema}`,
  });
  const [{ era } = { era: 0 }] = (await client.query<{ era: number }>('select current_era() as era')).rows;
  return {
    begin: async (...events) => {
      const appends = [...Map.groupBy(events, ({ stream }) => stream)].map(([stream, ours]) => ({
        stream,
        expected: (ours[0]?.version ?? 1) - 1,
        events: ours,
      }));
      const commit = { appends, take: [], release: [], writes: [], idempotency: undefined };
      await client.query('begin');
      const { rows } = await client.query('select append($1, $2, $3, $4, $5, $6)', [...appendArguments(era, [commit])]);
      const refused = Object.keys(rows[0]?.append?.refused ?? {});
      if (refused.length > 0) throw new Error(`a raw writer was refused: ${JSON.stringify(rows[0])}`);
    },
    end: async (how) => {
      await client.query(how);
    },
    close: () => client.end(),
  };
};
