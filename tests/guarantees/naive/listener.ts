/**
 * What is often written instead of a consumer that knows what it has heard: it keeps its place with the broker, has the
 * effect of each record as often as that comes, begins with what is new, and ends at what it cannot read.
 */
import { Consumer } from '@platformatic/kafka';
import pg from 'pg';

const { DATABASE, BOOTSTRAP = '' } = process.env;
const pool = new pg.Pool({ ...JSON.parse(DATABASE ?? '{}'), max: 1 });
await pool.query('create schema if not exists naive; create table if not exists naive.heard (event uuid not null)');
const consumer = new Consumer({
  clientId: 'naive',
  groupId: 'naive',
  bootstrapBrokers: BOOTSTRAP.split(','),
  autocommit: true,
});
const stream = await consumer.consume({
  topics: ['task.events'],
  mode: 'committed',
  fallbackMode: 'latest',
  maxWaitTime: 100,
});
console.log('ready, and naive');
for await (const { value, headers } of stream) {
  JSON.parse(String(value));
  const [, id] = [...headers].find(([name]) => String(name) === 'ce_id') ?? [];
  await pool.query('insert into naive.heard values ($1)', [String(id)]);
}
