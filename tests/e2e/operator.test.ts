/** At three in the morning: what events did, what they could not do, and how it is repaired. With real processes. */
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/platform/embedded/postgres.ts';
import { laneOf } from '../../src/platform/event-store/lane.ts';
import { openKeyRing } from '../../src/platform/keys/key-ring.ts';
import { secretId } from '../../src/platform/keys/secret-list.ts';
import { openDatabase } from '../../src/platform/sql/database.ts';
import { sqlOn } from '../support/sql.ts';
import { until } from '../support/until.ts';
import { asking, PASSWORD } from './support/client.ts';
import { productBed, type Server } from './support/product.ts';

const bed = productBed();
let env: Record<string, string>;
/** On a server of its own: a transaction is held open here, which would hold back what all other tests wait for. */
let postgres: EmbeddedPostgres | undefined;
const address = () => {
  if (postgres === undefined) throw new Error('the database was not started');
  return { ...postgres.connection, database: 'postgres' };
};
const database = { sql: sqlOn(async () => address()) };
let server: Server;

beforeAll(async () => {
  postgres = await startEmbeddedPostgres({
    dataDir: await bed.folder(),
    report: () => undefined,
    settings: { fsync: 'off' },
  });
  const { host, port, user, password, database: name } = address();
  env = {
    DATA_DIR: await bed.folder(),
    DB_HOST: host,
    DB_PORT: String(port),
    DB_NAME: name,
    DB_USER: user,
    DB_PASSWORD: password,
  };
  server = await bed.start({ env });
});
afterAll(async () => {
  await bed.end();
  await postgres?.stop();
  await bed.clear();
});

/** What a command says, once it has ended. */
const taskwire = async (...args: readonly string[]) => {
  const run = bed.taskwire(args, { env });
  const { code } = await run.exit;
  return { code, output: run.output(), lines: run.output().trimEnd().split('\n') };
};
const jsonOf = async (...args: readonly string[]) => JSON.parse((await taskwire(...args, '--json')).output);
const stop = async (): Promise<void> => {
  server.signal('SIGTERM');
  expect((await server.exit).code).toBe(0);
};

const PEOPLE = 'notification.people';
/** Somebody new, the request that registered them, and the row that the notification service keeps of them. */
const register = async () => {
  const username = `p${randomUUID().slice(0, 8)}`;
  const email = `${username}@example.org`;
  const answer = await asking(server.url)('POST', '/api/v1/auth/register', {
    body: { email, username, password: PASSWORD },
  });
  const login = await asking(server.url)('POST', '/api/v1/auth/login', { body: { email, password: PASSWORD } });
  const id = String(answer.body?.id);
  const ask = asking(server.url, String(login.body?.accessToken));
  await until('the welcome mail', async () => (await mailsOf(id)).some(({ status }) => status === 'sent'));
  return { id, email, requestId: String(answer.headers.get('x-request-id')), ask };
};
const mailsOf = (id: string) =>
  database.sql<{ status: string }>('select status from notification_service.mail_list where recipient_id = $1', [id]);
const localeOf = async (id: string) => {
  const [row] = await database.sql<{ locale: string | null }>(
    'select locale from notification_service.person where id = $1',
    [id],
  );
  return row?.locale;
};
const healthOf = async (consumer: string) => {
  const { status, body } = await asking(server.url)('GET', '/health/events');
  const part = (body?.parts as Record<string, { status: string; consumers: { consumer: string }[] }>)[
    'events.notification'
  ];
  return {
    status,
    overall: body?.status,
    part: part?.status,
    of: part?.consumers.find((one) => one.consumer === consumer),
  };
};

/** An event of a person that is no event, in a stream beside theirs: behind the product's back. */
const poison = async (id: string): Promise<string> => {
  const event = randomUUID();
  await database.sql(
    `insert into user_service.event (era, id, stream, version, topic, key, lane, subject, type, schema_version, data, metadata)
     select era, $1::uuid, 'poison-' || $1::uuid, 1, topic, key, $3, null, 'user.updated', 1, 'null', metadata
     from user_service.event where stream = $2 and version = 1`,
    [event, `user-${id}`, laneOf(id)],
  );
  await until('it to be parked', async () => (await parkedOf(id)).length > 0);
  return event;
};
const parkedOf = (id: string) =>
  database.sql<{ id: string }>('select id from notification_service.parked_event where key = $1 order by position', [
    id,
  ]);
const parked = async (id: string, count: number) =>
  until(`${count} events to be parked`, async () => (await parkedOf(id)).length === count);

describe('events trace', () => {
  test('shows what a registration led to, by the id that it was answered with', async () => {
    const { id, requestId, email } = await register();
    const { code, output, lines } = await taskwire('events', 'trace', requestId);
    expect(code).toBe(0);
    expect(lines[0]).toMatch(new RegExp(`^request ${requestId}: 3 events of user, notification within [\\d.]+ m?s$`));
    const mail = /mail-[0-9a-f-]{36}/.exec(output)?.[0];
    expect(lines.slice(2).map((line) => line.replace(/ *\+[\d.]+ m?s +/, '').replace(/ {2,}/g, ' | '))).toEqual([
      `user | user-${id}@1 | user.created | by ${id}`,
      `notification | └─ ${mail}@1 | notification.requested | by ${PEOPLE}`,
      `notification | └─ ${mail}@2 | notification.sent | by notification-service`,
    ]);
    expect(output).not.toContain(email);
    expect((await taskwire('events', 'trace', requestId, '--open')).output).toContain(`"email":"${email}"`);
  });

  test('finds the request by an event, a stream and one event of it too, and says when others changed the stream', async () => {
    const { id, requestId, ask } = await register();
    await ask('PATCH', '/api/v1/me', { body: { locale: 'de' } });
    const traced = await jsonOf('events', 'trace', requestId);
    expect(traced.correlationId).toBe(requestId);
    const [created, requested, sent] = traced.events;
    expect(created).toMatchObject({
      service: 'user',
      stream: `user-${id}`,
      version: 1,
      type: 'user.created',
      actor: id,
    });
    expect(requested).toMatchObject({ type: 'notification.requested', causationId: created.id, actor: PEOPLE });
    expect(sent).toMatchObject({ type: 'notification.sent', causationId: requested.id });
    for (const what of [sent.id, requested.stream, `user-${id}@1`])
      expect(await jsonOf('events', 'trace', what)).toEqual(traced);
    const { output } = await taskwire('events', 'trace', `user-${id}`);
    expect(output).toContain(`request ${requestId}`);
    expect(output).toContain(`1 other request changed user-${id} too: taskwire events show user-${id}`);
  });

  test('says who heard of an event and made nothing of it', async () => {
    const { id, ask } = await register();
    await ask('PATCH', '/api/v1/me', { body: { locale: 'de' } });
    await until('it to be heard', async () => (await localeOf(id)) === 'de');
    const { output } = await taskwire('events', 'trace', `user-${id}@2`);
    expect(output).toMatch(new RegExp(`user-${id}@2 .*\\n +└─ ${PEOPLE} +heard it, and made no event of it`));
  });

  test.each(['task-none@3', randomUUID()])('of %s finds nothing, and says what it looks for', async (what) => {
    const { code, output } = await taskwire('events', 'trace', what);
    expect(output).toMatch(/^taskwire: no event is known of .* It may be the X-Request-Id of an answer, /);
    expect(code).toBe(1);
  });
});

describe('a key that cannot be handled', () => {
  test('is seen in the list, in the health, and in the trace; with what waits behind it', async () => {
    const { id, ask } = await register();
    const event = await poison(id);
    await ask('PATCH', '/api/v1/me', { body: { locale: 'de' } });
    await parked(id, 2);

    expect(await jsonOf('dead-letters', 'list', '-c', PEOPLE)).toMatchObject([
      {
        consumer: PEOPLE,
        source: 'user',
        topic: 'user.events',
        key: id,
        cause: 'unreadable',
        error: 'not the JSON of an event',
        attempts: 1,
        events: 2,
        nextAttemptAt: null,
        isRead: true,
      },
    ]);
    const list = await taskwire('dead-letters', 'list');
    expect(list.output).toMatch(
      new RegExp(`${PEOPLE} +user.events +${id} +2 events +\\S+Z +1 +by hand +unreadable +not the JSON`),
    );
    expect(list.output).toContain(`taskwire dead-letters show ${PEOPLE} ${id}`);

    const health = await healthOf(PEOPLE);
    expect(health).toMatchObject({ status: 200, overall: 'degraded', part: 'degraded' });
    expect(health.of).toMatchObject({ status: 'degraded', parkedKeys: 1, lag: { events: 0, seconds: 0 } });
    expect((await asking(server.url)('GET', '/health/ready')).status).toBe(200);

    const show = await taskwire('dead-letters', 'show', PEOPLE, id);
    expect(show.output).toMatch(
      new RegExp(`poison-${event}@1 +user.updated v1 +null +id ${event}\n.*user-${id}@2 .*‹sealed›`),
    );
    expect((await taskwire('dead-letters', 'show', PEOPLE, id, '--open')).output).toMatch(
      /null {2}\(not the JSON.*\n.*"to":"de"/,
    );

    const trace = await taskwire('events', 'trace', `user-${id}@2`);
    expect(trace.output).toMatch(new RegExp(`└─ ${PEOPLE} +parked behind another event of key ${id} \\(unreadable`));
    expect((await taskwire('events', 'trace', event)).output).toMatch(
      new RegExp(`└─ ${PEOPLE} +parked: unreadable: not`),
    );
    await taskwire('dead-letters', 'discard', PEOPLE, id, '--yes', '--all-events');
  });

  test('is redriven: it fails again, and says so; or is settled with all that waited', async () => {
    const { id, ask } = await register();
    await poison(id);
    for (const locale of ['de', 'fr', 'it']) await ask('PATCH', '/api/v1/me', { body: { locale } });
    await parked(id, 4);
    const again = await taskwire('dead-letters', 'redrive', PEOPLE, id, '--wait');
    expect(again.output).toContain(`${PEOPLE}  ${id}  failed again: unreadable: not the JSON of an event`);
    expect(again.output).toContain(`taskwire: 1 of 1 key not settled; why: taskwire dead-letters show ${PEOPLE} ${id}`);
    expect(again.code).toBe(1);

    await database.sql(
      `update notification_service.parked_event set data = '{"changes":{}}' where key = $1 and data = 'null'`,
      [id],
    );
    const settled = await taskwire('dead-letters', 'redrive', PEOPLE, '--wait');
    expect(settled).toMatchObject({ code: 0, output: `${PEOPLE}  ${id}  settled: 4 events handled\n` });
    expect(await localeOf(id)).toBe('it');
    expect((await healthOf(PEOPLE)).overall).toBe('ok');
    expect(await taskwire('dead-letters', 'redrive', '--all')).toMatchObject({
      code: 0,
      output: 'nothing is parked\n',
    });
    const twice = await taskwire('dead-letters', 'redrive', PEOPLE, id);
    expect(twice).toMatchObject({
      code: 1,
      output: expect.stringContaining(`nothing is parked of key ${id} for ${PEOPLE}`),
    });
  });

  test('is given up event by event, each once; what waits behind goes on in order', async () => {
    const { id, ask } = await register();
    const event = await poison(id);
    for (const locale of ['de', 'fr']) await ask('PATCH', '/api/v1/me', { body: { locale } });
    await parked(id, 3);
    const asked = await taskwire('dead-letters', 'discard', PEOPLE, id);
    expect(asked.code).toBe(2);
    expect(asked.output).toContain(
      `this gives up the first of 3 events of key ${id} of user.events:\n  poison-${event}@1`,
    );
    const meant = `taskwire dead-letters discard ${PEOPLE} ${id} --event ${event} --yes`;
    expect(asked.output).toContain(meant);
    expect(await parkedOf(id), 'nothing was done yet').toHaveLength(3);

    const other = await taskwire('dead-letters', 'discard', PEOPLE, id, '--event', randomUUID(), '--yes');
    expect(other).toMatchObject({
      code: 1,
      output: expect.stringContaining(`is ${event} by now; nothing was discarded`),
    });
    const done = await taskwire(...meant.split(' ').slice(1));
    expect(done.output).toContain(
      `discarded for ${PEOPLE}: poison-${event}@1 (user.updated, id ${event})\n2 events of the key are handled next`,
    );
    await until('what waited to be handled', async () => (await localeOf(id)) === 'fr');
    expect(await parkedOf(id)).toEqual([]);
    const twice = await taskwire(...meant.split(' ').slice(1));
    expect(twice).toMatchObject({ code: 1, output: expect.stringContaining('nothing is parked of key') });
    await ask('PATCH', '/api/v1/me', { body: { locale: 'it' } });
    await until('what comes later to be handled', async () => (await localeOf(id)) === 'it');
  });

  test('is given up with all behind it: discard --all-events removes the key', async () => {
    const { id, ask } = await register();
    await poison(id);
    await ask('PATCH', '/api/v1/me', { body: { locale: 'de' } });
    await parked(id, 2);
    const { code, output } = await taskwire('dead-letters', 'discard', PEOPLE, id, '--all-events', '--yes');
    expect(code).toBe(0);
    expect(output).toMatch(/ and 1 event behind it\nnothing is parked of the key any more/);
    await ask('PATCH', '/api/v1/me', { body: { timeZone: 'Europe/Berlin' } });
    await until('what comes later to be handled', async () => {
      const [row] = await database.sql('select time_zone from notification_service.person where id = $1', [id]);
      return row?.time_zone === 'Europe/Berlin';
    });
    expect(await localeOf(id)).toBeNull();
  });

  test('that was parked of several topics is asked for by its topic', async () => {
    const { id } = await register();
    await poison(id);
    await database.sql(
      `insert into notification_service.parked_key select consumer, source, 'user.others', key, lane, cause, error, attempts
       from notification_service.parked_key where key = $1`,
      [id],
    );
    const either = await taskwire('dead-letters', 'show', PEOPLE, id);
    expect(either).toMatchObject({
      code: 2,
      output: expect.stringContaining('--topic user.events or --topic user.others'),
    });
    expect((await taskwire('dead-letters', 'show', PEOPLE, id, '--topic', 'user.others')).code).toBe(0);
    await database.sql('delete from notification_service.parked_key where key = $1', [id]);
  });

  test.each([
    {
      args: ['show', PEOPLE, 'nobody'],
      says: `nothing is parked of key nobody for ${PEOPLE}; what is: taskwire dead-letters list`,
      ends: 1,
    },
    {
      args: ['show', 'x.y', 'nobody'],
      says: `no consumer x.y is registered here; there are ${PEOPLE}, notification.tasks`,
      ends: 1,
    },
    { args: ['redrive'], says: 'say what: a consumer, or one key of it, or --all', ends: 2 },
    { args: ['redrive', PEOPLE, '--all'], says: `--all is for all consumers: leave out ${PEOPLE}`, ends: 2 },
    { args: ['discard', PEOPLE], says: "missing required argument 'key'", ends: 2 },
  ])('taskwire dead-letters $args is refused with what to do', async ({ args, says, ends }) => {
    const { code, output } = await taskwire('dead-letters', ...args);
    expect(output).toContain(says);
    expect(code).toBe(ends);
  });
});

describe('a consumer', () => {
  test('is listed with where it stands', async () => {
    const { id } = await register();
    const listed = await until('it to have heard all', async () => {
      const all: { consumer: string; lag: { events: number } | null }[] = await jsonOf('consumers', 'list');
      return all.every(({ lag }) => lag?.events === 0) && all;
    });
    expect(listed).toMatchObject([
      {
        consumer: PEOPLE,
        service: 'notification',
        kind: 'policy',
        source: 'user',
        state: 'ok',
        begins: 'beginning',
        parkedKeys: 0,
      },
      { consumer: 'notification.tasks', kind: 'policy', source: 'task', state: 'ok' },
    ]);
    const { lines } = await taskwire('consumers', 'list');
    expect(lines[1]).toMatch(
      new RegExp(`^${PEOPLE} +policy +user +ok +nothing +0 keys +\\S+Z +\\S+Z +\\d+:\\d+:\\d+$`),
    );
    expect(lines).toHaveLength(3);
    await poison(id);
    expect((await jsonOf('consumers', 'list'))[0]).toMatchObject({ state: 'parked', parkedKeys: 1 });
    expect((await taskwire('consumers', 'list')).output).toContain(
      'What is parked, and why: taskwire dead-letters list',
    );
    await taskwire('dead-letters', 'discard', PEOPLE, id, '--yes');
  });

  test('that is held back tells by how much, in the list, in the health and in the trace', async () => {
    const { id } = await register();
    const writer = new pg.Client(address());
    await writer.connect();
    await writer.query('begin');
    await writer.query('select pg_current_xact_id()'); // whoever writes holds every feed of the cluster back
    try {
      const event = randomUUID();
      await database.sql(
        `insert into user_service.event (era, id, stream, version, topic, key, lane, type, schema_version, data, metadata, recorded_at)
         select era, $1, stream, 2, topic, key, lane, 'user.updated', 1, '{"changes":{}}', metadata, now() - interval '1 minute'
         from user_service.event where stream = $2`,
        [event, `user-${id}`],
      );
      const { lines } = await taskwire('consumers', 'list');
      expect(lines[1]).toMatch(new RegExp(`^${PEOPLE} +policy +user +late +1 event, 1(\\.\\d)? min +0 keys `));
      const { overall, of } = await healthOf(PEOPLE);
      expect(overall).toBe('degraded');
      expect(of).toMatchObject({ status: 'degraded', parkedKeys: 0, lag: { events: 1, seconds: expect.any(Number) } });
      expect((await taskwire('events', 'trace', event)).output).toMatch(
        new RegExp(`└─ ${PEOPLE} +has not come to it yet`),
      );
    } finally {
      await writer.end(); // and its transaction with it
    }
    await until('it to be heard', async () => (await healthOf(PEOPLE)).overall === 'ok');
  });

  test('of this release is neither retired nor adopted', async () => {
    for (const args of [
      ['retire', PEOPLE, '--yes'],
      ['adopt', PEOPLE, 'notification.persons'],
    ])
      expect(await taskwire('consumers', ...args)).toMatchObject({
        code: 1,
        output: expect.stringContaining(`${PEOPLE} is a consumer of this release`),
      });
    expect(await taskwire('consumers', 'retire', 'x.y', '--yes')).toMatchObject({ code: 1 });
  });

  test('that another release still runs is not given up under it', async () => {
    await database.sql(`insert into notification_service.consumer values ('notification.older', 'now')`);
    await database.sql(
      `insert into notification_service.consumer_source values ('notification.older', 'user', 1, '1', 1)`,
    );
    await database.sql(
      `insert into notification_service.consumer_lease values ('notification.older', 'user', $1, now() + interval '1 hour')`,
      [randomUUID()],
    );
    const refused = await taskwire('consumers', 'retire', 'notification.older', '--yes');
    expect(refused.output).toMatch(
      /a process of another release reads for notification.older at this moment .*: stop it first/,
    );
    expect(refused.code).toBe(1);
    await database.sql(`delete from notification_service.consumer where name = 'notification.older'`);
    await database.sql(`delete from notification_service.consumer_lease where consumer = 'notification.older'`);
  });
});

describe('without a process', () => {
  test('a redrive and a discard say that somebody must do it; waiting for nobody ends at once', async () => {
    const { id, ask } = await register();
    await poison(id);
    await ask('PATCH', '/api/v1/me', { body: { locale: 'de' } });
    await parked(id, 2);
    await stop();
    expect((await taskwire('dead-letters', 'redrive', PEOPLE, id)).output).toContain(
      `due now, once a process reads for ${PEOPLE}; none does: taskwire start`,
    );
    expect((await taskwire('dead-letters', 'list')).output).toContain('when a process runs');
    expect(await taskwire('dead-letters', 'redrive', PEOPLE, id, '--wait')).toMatchObject({
      code: 1,
      output: expect.stringContaining(`still waiting, once a process reads for ${PEOPLE}; none does: taskwire start`),
    });
    expect((await taskwire('dead-letters', 'discard', PEOPLE, id, '--yes')).output).toContain(
      `1 event of the key is handled next, once a process reads for ${PEOPLE}`,
    );
    expect((await taskwire('consumers', 'list')).output).toMatch(/No process reads for .*: taskwire start/);
    server = await bed.start({ env });
    await until('what waited to be handled', async () => (await localeOf(id)) === 'de');
  });

  test('a consumer that was renamed stops the start until its successor goes on where it stood, parked keys included', async () => {
    const { id, ask } = await register();
    await poison(id);
    await ask('PATCH', '/api/v1/me', { body: { locale: 'de' } });
    await parked(id, 2);
    await stop();
    await database.sql(`update notification_service.consumer set name = 'notification.greeting' where name = $1`, [
      PEOPLE,
    ]);
    const refused = bed.taskwire(['start'], { env });
    expect((await refused.exit).code).toBe(1);
    expect(refused.output()).toContain(
      'taskwire: notification.greeting reads events here, but this release declares no such consumer ' +
        `(it has ${PEOPLE}, notification.tasks). If it was renamed: taskwire consumers adopt notification.greeting notification.<new name>; ` +
        'if it is gone for good: taskwire consumers retire notification.greeting',
    );
    const list = await taskwire('consumers', 'list');
    expect(list.output).toMatch(/notification\.greeting +– +user +vanished .* 1 key +nobody/);
    expect(list.output).toContain('taskwire consumers adopt notification.greeting <new name>');
    expect(list.output).toMatch(new RegExp(`${PEOPLE} +policy +– +new `));

    const wrong = await taskwire('consumers', 'adopt', 'notification.greeting', 'notification.persons');
    expect(wrong).toMatchObject({ code: 1, output: expect.stringContaining(`adopt it as ${PEOPLE}`) });
    const taken = await taskwire('consumers', 'adopt', 'notification.greeting', 'notification.tasks');
    expect(taken).toMatchObject({
      code: 1,
      output: expect.stringContaining('notification.tasks stands somewhere itself'),
    });
    const adopted = await taskwire('consumers', 'adopt', 'notification.greeting', PEOPLE);
    expect(adopted.output).toBe(
      `${PEOPLE} goes on where notification.greeting stood, with 1 parked key; processes start again\n`,
    );
    server = await bed.start({ env });
    await taskwire('dead-letters', 'discard', PEOPLE, id, '--yes');
    await until('what waited to be handled', async () => (await localeOf(id)) === 'de');
    expect(await mailsOf(id), 'nobody was greeted again').toHaveLength(1);
  });

  test('a consumer that is gone stops the start until it is retired, which must be meant', async () => {
    await stop();
    await database.sql(`insert into notification_service.consumer values ('notification.gone', 'now')`);
    const refused = bed.taskwire(['start'], { env });
    expect((await refused.exit).code).toBe(1);
    const asked = await taskwire('consumers', 'retire', 'notification.gone');
    expect(asked.code).toBe(2);
    expect(asked.output).toContain(
      'this forgets for good where notification.gone stood, and 0 parked keys with 0 events; the rows that it made stay. ' +
        'Nothing was done yet. If that is meant:\n  taskwire consumers retire notification.gone --yes',
    );
    expect((await jsonOf('consumers', 'list')).map(({ consumer }: { consumer: string }) => consumer)).toContain(
      'notification.gone',
    );
    expect((await taskwire('consumers', 'retire', 'notification.gone', '--yes')).code).toBe(0);
    server = await bed.start({ env });
    await until('all to be well', async () => (await healthOf(PEOPLE)).overall === 'ok');
  });
});

describe('a new MASTER_KEY', () => {
  const FRESH = 'a new master key of 32 characters';
  const MANY = 700; // more than one page
  let old: string;
  beforeAll(async () => {
    await register();
    old = JSON.parse(await readFile(path.join(env.DATA_DIR ?? '', 'secrets.json'), 'utf8')).masterKey;
    const options = { address: address(), schema: 'keys', statementTimeout: 0, applicationName: 'test' };
    const keys = openDatabase({ ...options, connections: 1 });
    const ring = openKeyRing(keys, old);
    await Promise.all(Array.from({ length: MANY }, () => ring.keyFor(`person-${randomUUID()}`)));
    await keys.close();
  });
  const keys = async (args: readonly string[], more: Record<string, string>) => {
    const run = bed.taskwire(['keys', ...args], { env: { ...env, ...more } });
    return { ...(await run.exit), output: run.output() };
  };
  /** What is printed beside what is told on the way. */
  const jsonIn = (output: string) => JSON.parse(/^[[{]$.*?^[}\]]$/ms.exec(output)?.[0] ?? output);

  test('takes the old one’s place: killed half-way the next run does the rest, and says when all is done', async () => {
    const [{ total = 0 } = {}] = await database.sql<{ total: number }>(
      'select count(wrapped)::integer as total from keys.subject_key',
    );
    const MASTER_KEY = `${FRESH},${old}`;
    const FAIL_POINT = 'rewrap-page';
    expect(await keys(['rewrap'], { MASTER_KEY, FAIL_POINT })).toMatchObject({ signal: 'SIGKILL' });
    const PASSWORD_PEPPER = 'a pepper that hashed no password yet';
    const listed = jsonIn((await keys(['list', '--json'], { MASTER_KEY, PASSWORD_PEPPER })).output);
    const [wrapped, left, pepper, formerly] = listed;
    expect(wrapped).toEqual({ setting: 'MASTER_KEY', place: 1, id: secretId(FRESH), needed: 500 });
    expect(left).toEqual({ setting: 'MASTER_KEY', place: 2, id: secretId(old), needed: total - 500 });
    expect(pepper).toEqual({ setting: 'PASSWORD_PEPPER', place: 1, id: secretId(PASSWORD_PEPPER), needed: 0 });
    expect(formerly).toMatchObject({ setting: 'PASSWORD_PEPPER', place: null });
    expect(formerly.needed).toBeGreaterThan(0);

    const rest = await keys(['rewrap', '--json'], { MASTER_KEY });
    expect(rest.code).toBe(0);
    expect(jsonIn(rest.output)).toEqual({ wrapped: total - 500, already: 500, older: 0, none: 0 });
    expect(rest.output).toMatch(/^keys: wrap, [\d,]+ keys$/m);
  });

  test('without the one that keys lie under it wraps nothing, ends with 1, and names nobody', async () => {
    const { code, output } = await keys(['rewrap'], { MASTER_KEY: 'a master key that wrapped nothing yet' });
    expect(output).toMatch(/^0 keys wrapped anew, 0 were so already$/m);
    expect(output).toMatch(/^taskwire: [\d,]+ keys lie under none of the secrets in MASTER_KEY: put the one /m);
    expect(output).not.toMatch(/person|[0-9a-f]{8}-/);
    expect(code).toBe(1);
  });
});

test.each([
  { args: ['keys', 'list'], lacks: 'MASTER_KEY and PASSWORD_PEPPER' },
  { args: ['start'], lacks: 'MASTER_KEY and PASSWORD_PEPPER' },
  { args: ['projections', 'verify', 'task_list'], lacks: 'MASTER_KEY' },
])('taskwire $args elsewhere makes no secrets of its own, says which it needs, and ends with 2', async ({
  args,
  lacks,
}) => {
  await register();
  const DATA_DIR = await bed.folder();
  const run = bed.taskwire(args, { env: { ...env, DATA_DIR } });
  const { code } = await run.exit;
  expect(run.output()).toMatch(new RegExp(`^taskwire: ${lacks} must be given: this database was filled with `, 'm'));
  expect(code).toBe(2);
  expect(existsSync(path.join(DATA_DIR, 'secrets.json'))).toBe(false);
});
