/** What holds of every read model that a service lists. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SERVICES, whereIs } from '../../src/installation.ts';
import { openServiceKit, type ServiceKit } from '../../src/platform/lifecycle/service-kit.ts';
import type { InlineReadModel } from '../../src/platform/read-models/inline.ts';
import { rebuild } from '../../src/platform/read-models/rebuild.ts';
import { verify } from '../../src/platform/read-models/verify.ts';
import { type Database, openDatabase } from '../../src/platform/sql/database.ts';
import { type Ask, startTestApp, type TestApp } from '../support/app.ts';
import { succeeded } from '../support/succeeded.ts';
import { until } from '../support/until.ts';

let product: TestApp;
beforeAll(async () => {
  product = await startTestApp();
  const { ask } = await product.person();
  const done = async (...request: Parameters<Ask>) => (await succeeded(ask(...request))).body;
  const category = await done('POST', '/api/v1/categories', { body: { name: 'Garden', color: '#00aa00' } });
  const task = await done('POST', '/api/v1/tasks', {
    body: { title: 'Water the plants', priority: 'high', categoryId: category.id },
  });
  const path = `/api/v1/tasks/${task.id}`;
  await done('PATCH', path, {
    body: { description: 'All of them', due: { date: '2030-02-28', zone: 'Europe/Berlin' } },
  });
  await done('POST', `${path}/complete`);
  await done('DELETE', path);
  await done('PATCH', '/api/v1/me', { body: { displayName: 'Ada' } });
  // Else rows would come while a table is made anew.
  const settled = `select (select count(*) from notification_service.inbox_list)::int as told,
    (select count(*) from notification_service.mail_list where status = 'sent')::int as sent`;
  await until('the entry and the welcome', async () => {
    const [found] = await product.database.sql<{ told: number; sent: number }>(settled);
    return found?.told === 1 && found.sent === 1;
  });
});
afterAll(() => product.close());

const models = SERVICES.flatMap((service) =>
  service.readModels.map((model: InlineReadModel) => ({ name: model.name, service, model })),
);
const withTools = async <T>(
  { service }: (typeof models)[number],
  use: (database: Database, kit: ServiceKit) => Promise<T>,
): Promise<T> => {
  const place = whereIs(service, product.config, product.database.address);
  const { schema } = service;
  const database = openDatabase({ ...place, schema, statementTimeout: 0, applicationName: 'test', connections: 1 });
  const kit = openServiceKit({ ...service, ...place, masterKey: product.secrets.masterKey });
  try {
    return await use(database, kit);
  } finally {
    await Promise.all([database.close(), kit.close()]);
  }
};

describe.each(models)('$name', (named) => {
  const { service, model } = named;
  const rows = () => product.database.sql(`select * from ${service.schema}.${model.name} order by id`);

  test('is what its streams say, and a rebuild makes it just so again', async () => {
    const before = await rows();
    expect(before.length).toBeGreaterThan(0);
    await withTools(named, async (database, { commands }) => {
      expect(await verify(database, commands, model)).toEqual([]);
      await product.database.sql(`update ${service.schema}.${model.name} set version = version + 1`);
      expect(await verify(database, commands, model)).toHaveLength(before.length);
      await rebuild({ database, opening: commands, model });
      expect(await rows()).toEqual(before);
      expect(await verify(database, commands, model)).toEqual([]);
    });
  });
});
