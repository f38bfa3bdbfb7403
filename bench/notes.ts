/** What stands under the table: with which settings the figures came about. */
import type { RowName } from './options.ts';

const NOTES: readonly (readonly [readonly RowName[], string])[] = [
  [
    ['create', 'read', 'list', 'complete'],
    `µs: CPU a request, service + PostgreSQL.
Ours commits event, read-model row and idempotency key, and checks ES256 tokens. FastAPI with SQLAlchemy 2, asyncpg
and uvicorn (uvloop, one worker) stores a row and no events. Emmett 0.42 with Express 5 stores an event and a row of
its inline projection. Neither takes keys; both check HS256 tokens, with a pool of 32 connections.`,
  ],
  [
    ['latency', 'kafka', 'gateway', 'copies'],
    `Kafka: one broker on this machine, topics of 8 partitions unless it says otherwise; what is acknowledged lies on all
replicas, of which there is one.`,
  ],
  [
    ['kafka'],
    `µs of it: CPU an event, ours + PostgreSQL + Kafka. Kafka's tools move bytes of the same size and ask no database;
ProducerPerformance is counted once it is warm, ConsumerPerformance without joining its group.`,
  ],
  [
    ['gateway', 'copies'],
    `CPU of these: of a request with all that it leads to in other services; others: the user and the notification service.
A copy is a process. All of them share the cores of this machine, the load too.`,
  ],
];

export const notesOn = (wanted: (row: RowName) => boolean): readonly string[] => [
  '/s: median of the rounds, at 32 connections or writers. p50 and p99: over all rounds.',
  ...NOTES.flatMap(([names, note]) => (names.some(wanted) ? [note] : [])),
  'All use the same PostgreSQL, a database each.',
];
