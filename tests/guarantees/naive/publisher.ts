/**
 * What is often written instead of an outbox: commit, then publish, and go on. When the broker is away the row is there,
 * and nobody hears of it.
 */
import { ProduceAcks, Producer } from '@platformatic/kafka';
import pg from 'pg';

const { DATABASE, BOOTSTRAP = '' } = process.env;
const pool = new pg.Pool({ ...JSON.parse(DATABASE ?? '{}'), max: 1 });
const options = {
  clientId: 'naive',
  bootstrapBrokers: BOOTSTRAP.split(','),
  retries: 0,
  timeout: 1_000,
  connectTimeout: 500,
};
const producer = new Producer(options);

let published = 0;
let stopping = false;
process.on('SIGTERM', () => {
  stopping = true;
});
console.log('ready, and naive');
while (!stopping) {
  await pool.query('insert into naive_event default values');
  try {
    const message = { topic: 'system.events', key: Buffer.from('naive'), value: Buffer.from('{}') };
    await producer.send({ messages: [message], acks: ProduceAcks.ALL });
    published += 1;
  } catch {
    // "it will be logged"
  }
  await new Promise((resolve) => setTimeout(resolve, 20));
}
console.log(`published ${published}`);
process.exit(0);
