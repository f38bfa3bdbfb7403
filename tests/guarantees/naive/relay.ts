/**
 * What is often written instead of a relay that one process leads: several that share an outbox by `skip locked`, each
 * with the rows that no other has. Whoever comes first with later rows publishes them first.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { ProduceAcks, Producer } from '@platformatic/kafka';
import pg from 'pg';

const { DATABASE, BOOTSTRAP = '' } = process.env;
const client = new pg.Client(JSON.parse(DATABASE ?? '{}'));
await client.connect();
const producer = new Producer({ clientId: 'naive', bootstrapBrokers: BOOTSTRAP.split(',') });
console.log('ready, and naive');
for (;;) {
  await client.query('begin');
  const { rows } = await client.query<{ id: number; key: string; version: number }>(
    'select id, key, version from naive.outbox where not sent order by id limit 5 for update skip locked',
  );
  const messages = rows.map(({ key, version }) => ({
    topic: 'task.events',
    key: Buffer.from(key),
    value: Buffer.from('{}'),
    headers: new Map([[Buffer.from('ce_sequence'), Buffer.from(String(version))]]),
  }));
  await pause(20); // what it takes to make them
  if (messages.length > 0) await producer.send({ messages, acks: ProduceAcks.ALL });
  await client.query('update naive.outbox set sent = true where id = any ($1)', [rows.map(({ id }) => id)]);
  await client.query('commit');
}
