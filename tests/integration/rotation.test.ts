/** MASTER_KEY and PASSWORD_PEPPER of a product are replaced while copies of it serve; the steps are those of docs/operations.md. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type App, buildApp } from '../../src/app.ts';
import { parseConfig } from '../../src/platform/config/config.ts';
import { readSecrets } from '../../src/platform/config/secrets.ts';
import { rewrap } from '../../src/platform/keys/rewrap.ts';
import { secretId } from '../../src/platform/keys/secret-list.ts';
import { openDatabase } from '../../src/platform/sql/database.ts';
import { createLogger } from '../../src/platform/telemetry/logger.ts';
import { type Answer, type Ask, asking, PASSWORD } from '../support/app.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { served } from '../support/served.ts';

const OLD = { MASTER_KEY: 'the old master key of 32 characters', PASSWORD_PEPPER: 'the old pepper of 32 characters..' };
const NEW = { MASTER_KEY: 'the new master key of 32 characters', PASSWORD_PEPPER: 'the new pepper of 32 characters..' };
type Secrets = typeof OLD;

let database: TestDatabase;
let dataDir: string;
beforeAll(async () => {
  database = await createTestDatabase();
  dataDir = await mkdtemp(path.join(tmpdir(), 'taskwire-rotation-'));
});
afterAll(async () => {
  await database.drop();
  await rm(dataDir, { recursive: true, force: true });
});

const joined = (secrets: readonly Secrets[], name: keyof Secrets) => secrets.map((all) => all[name]).join(',');
/** A copy of the product that was started with these secrets, newest first. */
const withCopy = async <T>(secrets: readonly Secrets[], use: (copy: App) => Promise<T>): Promise<T> => {
  const config = parseConfig({
    NODE_ENV: 'test',
    DATA_DIR: dataDir,
    PASSWORD_COST: '4',
    LOG_LEVEL: 'silent',
    RATE_LIMITS: 'off',
    MASTER_KEY: joined(secrets, 'MASTER_KEY'),
    PASSWORD_PEPPER: joined(secrets, 'PASSWORD_PEPPER'),
  });
  const copy = await buildApp(config, await readSecrets(config), database.address, createLogger(config.LOG_LEVEL));
  await copy.start();
  try {
    return await use(copy);
  } finally {
    await copy.close();
  }
};
const rewrapped = async (masterKey: string) => {
  const options = { address: database.address, schema: 'keys', statementTimeout: 0, applicationName: 'test' };
  const keys = openDatabase({ ...options, connections: 1 });
  try {
    return await rewrap({ database: keys, masterKey });
  } finally {
    await keys.close();
  }
};

type Person = { readonly id: string; readonly email: string; readonly token: string };
const login = ({ email }: Pick<Person, 'email'>, copy: App): Promise<Answer> =>
  asking(copy)('POST', '/api/v1/auth/login', { body: { email, password: PASSWORD } });
const register = async (name: string, copy: App): Promise<Person> => {
  const email = `${name}@example.org`;
  const { body } = await asking(copy)('POST', '/api/v1/auth/register', {
    body: { email, username: name, password: PASSWORD },
  });
  const { accessToken } = (await login({ email }, copy)).body;
  return { id: body.id, email, token: accessToken };
};
/** Three tasks, what their reader carries along, and the words that lie sealed in their events. */
type Work = { readonly task: string; readonly cursor: string; readonly consistency: string };
const work = async (ask: Ask): Promise<Work> => {
  for (const title of ['One', 'Two']) await ask('POST', '/api/v1/tasks', { body: { title } });
  const made = await ask('POST', '/api/v1/tasks', { body: { title: 'Buy the ring' } });
  const page = await ask('GET', '/api/v1/tasks?limit=2');
  return {
    task: `/api/v1/tasks/${made.body.id}`,
    cursor: page.body.nextCursor,
    consistency: String(made.headers['consistency-token']),
  };
};
const pageBehind = (cursor: string, ask: Ask) => ask('GET', `/api/v1/tasks?limit=2&cursor=${cursor}`);
/** What a copy answers to somebody with what they have got from it or another. */
const expectServed = async (person: Person, { task, cursor, consistency }: Work, copy: App): Promise<void> => {
  const ask = asking(copy, person.token);
  expect(await login(person, copy)).toMatchObject({ status: 200 });
  const history = await ask('GET', `${task}/history`);
  expect(JSON.stringify(history.body)).toContain('Buy the ring');
  expect(await ask('PATCH', task, { body: { priority: 'high' } })).toMatchObject({ status: 200 });
  expect(await pageBehind(cursor, ask)).toMatchObject({ status: 200 });
  const waited = await served(() => ask('GET', '/api/v1/inbox', { headers: { 'consistency-token': consistency } }));
  expect(waited).toMatchObject({ status: 200 });
};
const pepperOf = async ({ id }: Person): Promise<string | undefined> => {
  const [row] = await database.sql<{ password_hash: string }>(
    'select password_hash from user_service.credential where user_id = $1',
    [id],
  );
  return row?.password_hash.split('$')[2];
};

describe('the secrets of a product are replaced, step by step', () => {
  let ada: Person;
  let hers: Work;
  let eve: Person;
  let others: Work;

  test('the new ones behind the old: whoever knows them makes nothing that others do not recognise', () =>
    withCopy([OLD], async (old) => {
      ada = await register('ada', old);
      hers = await work(asking(old, ada.token));
      await withCopy([OLD, NEW], async (prepared) => {
        const zoe = await register('zoe', prepared);
        const theirs = await work(asking(prepared, zoe.token));
        for (const copy of [old, prepared]) {
          await expectServed(ada, hers, copy);
          await expectServed(zoe, theirs, copy);
        }
      });
      expect(await pepperOf(ada)).toBe(secretId(OLD.PASSWORD_PEPPER));
    }));

  test('the new ones in front: what either copy makes, the other recognises', () =>
    withCopy([OLD, NEW], (prepared) =>
      withCopy([NEW, OLD], async (changed) => {
        eve = await register('eve', changed);
        others = await work(asking(changed, eve.token));
        expect(await pepperOf(eve)).toBe(secretId(NEW.PASSWORD_PEPPER));
        for (const copy of [changed, prepared]) {
          await expectServed(ada, hers, copy);
          await expectServed(eve, others, copy);
        }
      }),
    ));

  test('once they are in front everywhere, a login makes the hash anew, and every key is wrapped anew', () =>
    withCopy([NEW, OLD], async (changed) => {
      for (const person of [ada, eve]) {
        expect(await pepperOf(person)).toBe(secretId(OLD.PASSWORD_PEPPER)); // of where they came in last
        expect(await login(person, changed)).toMatchObject({ status: 200 });
        expect(await pepperOf(person)).toBe(secretId(NEW.PASSWORD_PEPPER));
      }
      const told = await rewrapped(joined([NEW, OLD], 'MASTER_KEY'));
      expect(told).toEqual({ wrapped: 2, under: [3, 0], none: 0 }); // of Ada and Zoe; Eve's was so
      await expectServed(ada, hers, changed);
    }));

  test('with the new ones alone all holds, but for a cursor of before, which is refused', () =>
    withCopy([NEW], async (fresh) => {
      const ask = asking(fresh, ada.token);
      const { cursor } = await work(ask);
      await expectServed(ada, { ...hers, cursor, consistency: others.consistency }, fresh);
      await expectServed(eve, others, fresh);
      expect(await pageBehind(hers.cursor, ask)).toMatchObject({
        status: 422,
        body: { errors: [{ code: 'not-a-cursor' }] },
      });
    }));

  test('the control: with the old ones alone nothing holds any more', () =>
    withCopy([OLD], async (old) => {
      expect(await login(ada, old)).toMatchObject({ status: 401 });
      expect((await asking(old, ada.token)('GET', `${hers.task}/history`)).status).toBeGreaterThanOrEqual(500);
      expect(await pageBehind(others.cursor, asking(old, eve.token))).toMatchObject({ status: 422 });
    }));
});
