/** What docs/operations.md mends: an event that nobody can read, and one of the same person behind it. */
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { readInstance } from '../../src/platform/embedded/instance-lock.ts';
import { laneOf } from '../../src/platform/event-store/lane.ts';
import { newPerson } from '../e2e/support/client.ts';
import { until } from '../support/until.ts';

/** Answers once both are parked. The event lies in a stream of its own, for the person shall go on. */
export const damageAnEvent = async (url: string, dataDir: string): Promise<void> => {
  const { ask } = await newPerson(url);
  const id = String((await ask('GET', '/api/v1/me')).body?.id);
  const database = new pg.Client({ ...(await readInstance(dataDir))?.database, database: 'taskwire' });
  await database.connect();
  try {
    await database.query(
      `insert into user_service.event (era, id, stream, version, topic, key, lane, subject, type, schema_version, data, metadata)
       select era, gen_random_uuid(), 'poison-' || $1::uuid, 1, topic, key, $3, null, 'user.updated', 1, 'null', metadata
       from user_service.event where stream = $2 and version = 1`,
      [randomUUID(), `user-${id}`, laneOf(id)],
    );
    await ask('PATCH', '/api/v1/me', { body: { locale: 'de' } });
    await until('both to be parked', async () => {
      const { rows } = await database.query('select from notification_service.parked_event where key = $1', [id]);
      return rows.length === 2;
    });
  } finally {
    await database.end();
  }
};
