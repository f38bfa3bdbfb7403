/** A mail on its way: tried until it is accepted or refused, sent once, and every step of it told. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { buildApp } from '../../src/app.ts';
import type { NotificationId } from '../../src/contracts/notification.ts';
import type { UserId, Username } from '../../src/contracts/user.ts';
import { handle } from '../../src/platform/commit/command-handler.ts';
import { newId } from '../../src/platform/keys/ids.ts';
import { openServiceKit, type ServiceKit } from '../../src/platform/lifecycle/service-kit.ts';
import { type Claim, claimDue } from '../../src/platform/scheduling/claims.ts';
import { createLogger } from '../../src/platform/telemetry/logger.ts';
import { mails } from '../../src/services/notification/application/aggregates.ts';
import { deliverMail, LEASE, MOST_CLAIMS } from '../../src/services/notification/application/deliver-mail.ts';
import { senderOf } from '../../src/services/notification/infrastructure/mail-transport.ts';
import { createSmtpTransport } from '../../src/services/notification/infrastructure/smtp.ts';
import { NOTIFICATION_SERVICE } from '../../src/services/notification/service.ts';
import { type Break, openProxy } from '../platform/proxy.ts';
import { startTestApp, type TestApp } from '../support/app.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Behaviour, type MailServer, startMailServer } from '../support/smtp.ts';
import { until } from '../support/until.ts';

type Told = { type: string; topic: string; data: Record<string, unknown>; metadata: Record<string, string> };
const eventsOf = (database: TestDatabase, where: string, value: string): Promise<Told[]> =>
  database.sql(
    `select type, topic, data, metadata from notification_service.event where ${where} = $1 order by position`,
    [value],
  );
const typesOf = (events: readonly Told[]) => events.map(({ type }) => type.replace('notification.', ''));

describe('the product with a mail server', () => {
  let server: MailServer;
  let product: TestApp;
  beforeAll(async () => {
    server = await startMailServer();
    product = await startTestApp({ SMTP_URL: `smtp://127.0.0.1:${server.port}` });
  });
  afterEach(() => server.behave(undefined));
  afterAll(() => Promise.all([product.close(), server.close()]));

  const told = (id: string) => eventsOf(product.database, 'subject', id);
  const toldOf = (id: string, ...types: string[]) =>
    until(`${types} of ${id}`, async () => {
      const events = await told(id);
      return typesOf(events).join() === types.join() ? events : undefined;
    });
  const arrivedFor = (email: string) => server.received.filter(({ to }) => to === email);
  const registerWhile = async (behaviour: Behaviour) => {
    server.behave(behaviour);
    return product.person();
  };
  const healthOf = async (url: string) => {
    const { status: answer, body } = await product.ask('GET', url);
    return { answer, status: body.status, mails: body.parts['events.notification.mails'] };
  };
  const rowOf = (id: string) =>
    product.database.sql(
      `select rule, status, attempts, last_code, sent_at is not null as sent from notification_service.mail_list
       where recipient_id = $1`,
      [id],
    );

  test('one that is accepted is sent, and its events tell of the request that led to it', async () => {
    const { id, email } = await product.person();
    const events = await toldOf(id, 'requested', 'sent');
    expect(events[1]?.data).toEqual({ provider: 'smtp', n: 1 });
    expect(await rowOf(id)).toEqual([{ rule: 'welcome', status: 'sent', attempts: 1, last_code: null, sent: true }]);
    expect(arrivedFor(email)).toHaveLength(1);

    const [born] = await product.database.sql<{ id: string; metadata: Record<string, string> }>(
      'select id, metadata from user_service.event where stream = $1',
      [`user-${id}`],
    );
    const [requested, sent] = events.map(({ metadata }) => metadata);
    expect(requested).toMatchObject({ causationId: born?.id, correlationId: born?.metadata.correlationId });
    expect(sent).toMatchObject({ correlationId: born?.metadata.correlationId, actor: 'notification-service' });
  });

  test('one that is refused for good is given up at once', async () => {
    const { id, email } = await registerWhile({ kind: 'answers', at: 'recipient', code: 550 });
    const [, failed] = await toldOf(id, 'requested', 'failed');
    expect(failed?.data).toEqual({ reason: 'permanent', code: 'smtp-550', n: 1 });
    expect(await rowOf(id)).toMatchObject([{ status: 'failed', attempts: 1, last_code: 'smtp-550', sent: false }]);
    const due =
      'select id from notification_service.schedule s join notification_service.mail_list using (id) where recipient_id = $1';
    expect(await product.database.sql(due, [id])).toEqual([]);
    server.behave(undefined);
    expect(arrivedFor(email)).toEqual([]);
  });

  const FOR_NOW: readonly [Behaviour, string][] = [
    [{ kind: 'answers', at: 'end', code: 451 }, 'smtp-451'],
    [{ kind: 'cuts', at: 'middle' }, 'connection-lost'],
  ];
  test.each(FOR_NOW)('one that fails for now (%j) is tried again, and arrives once', async (behaviour, code) => {
    const { id, email } = await registerWhile(behaviour);
    const [, attempted] = await toldOf(id, 'requested', 'attempted');
    expect(attempted).toMatchObject({ topic: 'notification.events.private', data: { provider: 'smtp', code, n: 1 } });
    expect(arrivedFor(email)).toEqual([]);
    for (const url of ['/health', '/health/events']) {
      const waits = { status: 'degraded', detail: `1 mail waits for another attempt; it failed with ${code}` };
      expect(await healthOf(url)).toMatchObject({ answer: 200, status: 'degraded', mails: waits });
    }
    server.behave(undefined);
    const [, , sent] = await toldOf(id, 'requested', 'attempted', 'sent');
    expect(sent?.data).toEqual({ provider: 'smtp', n: 2 });
    expect(arrivedFor(email)).toHaveLength(1);
    expect(await rowOf(id)).toMatchObject([{ status: 'sent', attempts: 2, last_code: null, sent: true }]);
    await until('all to be well', async () => (await healthOf('/health')).status === 'ok');
  });

  test('that many wait is told with what they failed with most; who cannot tell is degraded, and no more', async () => {
    await product.database.sql(
      `insert into notification_service.mail_list (id, version, recipient_id, rule, status, attempts, last_code, requested_at)
       select gen_random_uuid(), 2, gen_random_uuid(), 'welcome', status, attempts, code, now()
       from generate_series(1, 2), (values ('waiting', 0, null), ('waiting', 1, 'timeout'), ('waiting', 3, 'smtp-421'),
         ('waiting', 2, 'smtp-421'), ('failed', 1, 'smtp-550'), ('sent', 2, null)) m (status, attempts, code)`,
    );
    const detail = '6 mails wait for another attempt; most often they failed with smtp-421';
    const mails = await until('them to be told of', async () => {
      const { mails } = await healthOf('/health/events');
      return mails.detail === detail ? mails : undefined;
    });
    expect(mails).toEqual({ status: 'degraded', detail });
    await product.database.sql('begin; lock table notification_service.mail_list');
    const silent = { status: 'degraded', detail: 'no answer within a second' };
    expect(await healthOf('/health')).toMatchObject({ answer: 200, status: 'degraded', mails: silent });
    expect(await product.ask('GET', '/health/ready')).toMatchObject({ status: 200, body: { status: 'ok' } });
    await product.database.sql('commit; truncate notification_service.mail_list');
  });

  test('one whose server hangs up behind its acceptance is not sent again', async () => {
    const { id, email } = await registerWhile({ kind: 'cuts', at: 'accepted' });
    await toldOf(id, 'requested', 'sent');
    expect(arrivedFor(email)).toHaveLength(1);
  });

  test('a private event is published to nobody', async () => {
    await product.database.sql('select 1 from notification_service.event where type = $1', ['notification.attempted']);
    const [row] = await product.database.sql<{ attempts: number; published: string }>(
      `select (select count(*)::int from notification_service.event where type = 'notification.attempted') as attempts,
         (select string_agg(p::text, ' ') from notification_service.published(0, '0', 0, 1000) p) as published`,
    );
    expect(row?.attempts).toBeGreaterThan(0);
    expect(row?.published).toContain('notification.sent');
    expect(row?.published).not.toContain('notification.attempted');
  });
});

describe('after a restart', () => {
  const startAgain = async ({ config, secrets, database }: TestApp) => {
    const app = await buildApp(config, secrets, database.address, createLogger('silent'));
    await app.start();
    return app;
  };
  const mailsIn = async ({ database }: TestApp) =>
    database.sql('select message_id from notification_service.dev_mailbox');

  test('a consumer that hears everything anew asks for nothing anew', async () => {
    const product = await startTestApp();
    const ada = await product.person();
    await until('the welcome', async () => (await mailsIn(product)).length === 1);
    const task = (await ada.ask('POST', '/api/v1/tasks', { body: { title: 'once' } })).body;
    await ada.ask('POST', `/api/v1/tasks/${task.id}/complete`);
    const unread = async () => (await ada.ask('GET', '/api/v1/inbox/unread-count')).body.count;
    await until('the entry', async () => (await unread()) === 1);
    const sent = () => product.database.sql(`select from notification_service.mail_list where status = 'sent'`);
    await until('that to be known', async () => (await sent()).length === 1);
    const before = await eventsOf(product.database, 'subject', ada.id);

    await product.app.close();
    await product.database.sql('delete from notification_service.consumer');
    await product.database.sql('truncate notification_service.person, notification_service.known_task');
    const again = await startAgain(product);
    const known = () =>
      product.database.sql('select id from notification_service.known_task where title = $1', ['once']);
    await until('all to be heard again', async () => (await known()).length > 0);
    await until('nothing to be due', async () => {
      const due = await product.database.sql('select id from notification_service.schedule');
      return due.length === 0;
    });
    expect(await eventsOf(product.database, 'subject', ada.id)).toEqual(before);
    expect(await mailsIn(product)).toHaveLength(1);
    await again.close();
    await product.database.drop();
  });

  test('whoever registered longer ago than a day is not greeted, and the events say why', async () => {
    const product = await startTestApp();
    await product.app.close();
    const silent = await buildApp(product.config, product.secrets, product.database.address, createLogger('silent'));
    const body = { email: 'late@example.org', username: 'late', password: 'correct horse battery' };
    const { id } = (await silent.http.inject({ method: 'POST', url: '/api/v1/auth/register', payload: body })).json();
    await silent.close();
    await product.database.sql(`set session_replication_role = replica`); // what was recorded cannot be changed otherwise
    await product.database.sql(`update user_service.event set recorded_at = now() - interval '25 hours'`);

    const again = await startAgain(product);
    const events = await until('it to be noted', async () => {
      const told = await eventsOf(product.database, 'subject', id);
      return told.length === 2 ? told : undefined;
    });
    expect(typesOf(events)).toEqual(['requested', 'suppressed']);
    expect(events[1]?.data).toEqual({ reason: 'too_old' });
    expect(await product.database.sql('select id from notification_service.schedule')).toEqual([]);
    expect(await mailsIn(product)).toEqual([]);
    await again.close();
    await product.database.drop();
  });
});

const RETRIED = 'a mail was not accepted, and is tried again later';
const GIVEN_UP = 'a mail is given up';

describe('one worker', () => {
  let server: MailServer;
  let database: TestDatabase;
  let wire: Awaited<ReturnType<typeof openProxy>>;
  let kit: ServiceKit;
  let deliver: ReturnType<typeof deliverMail>;
  let ports: Parameters<typeof deliverMail>[0];
  const failPoints: string[] = [];
  const lines: string[] = [];
  beforeAll(async () => {
    server = await startMailServer();
    database = await createTestDatabase();
    await database.sql('set search_path = notification_service');
    wire = await openProxy(database.address);
    const where = { address: wire.address, keysAddress: database.address, masterKey: 'm'.repeat(32) };
    kit = openServiceKit({ ...NOTIFICATION_SERVICE, ...where });
    ports = {
      ...kit,
      transport: createSmtpTransport(`smtp://127.0.0.1:${server.port}`),
      from: senderOf('Taskwire <no-reply@tasks.example.org>'),
      home: 'https://tasks.example.org',
      lease: LEASE,
      failPoint: (name) => failPoints.push(name),
      logger: createLogger('info', { write: (line) => void lines.push(line) }),
      stopping: new AbortController().signal,
    };
    deliver = deliverMail(ports);
  });
  afterEach(() => server.behave(undefined));
  afterAll(async () => {
    await Promise.all([kit.close(), server.close()]);
    await wire.close();
    await database.drop();
  });

  const know = (id: UserId) =>
    database.sql('insert into person (id, email) values ($1, $2)', [id, `${id}@example.org`]);
  const request = async (): Promise<{ readonly id: NotificationId; readonly recipientId: UserId }> => {
    const [id, recipientId, cause] = [newId<NotificationId>(), newId<UserId>(), newId()];
    const notice = { recipientId, about: null, rule: 'welcome', params: { username: 'ada' as Username } } as const;
    const occurredAt = new Date().toISOString();
    const context = { correlationId: cause, causationId: cause, requestId: cause, actor: 'test', occurredAt, newId };
    await handle(kit.commands, mails, id, { type: 'RequestMail', notice, late: false }, context);
    return { id, recipientId };
  };
  const claim = (id: NotificationId): Promise<Claim> =>
    until(`${id} to be claimed`, async () =>
      (await claimDue(kit.database, 'mail', 100, LEASE)).claims.find((one) => one.id === id),
    );
  /** What another process would do once the lease is over. */
  const takeOver = async (id: NotificationId): Promise<Claim> => {
    await database.sql(`update lease set until = now() - interval '1 s' where id = $1`, [id]);
    return claim(id);
  };
  const arrived = (id: NotificationId) => server.received.filter(({ messageId }) => messageId.includes(id));
  const told = async (id: NotificationId) => typesOf(await eventsOf(database, 'stream', `mail-${id}`));
  const leftOver = (id: NotificationId) =>
    database.sql('select id from schedule where id = $1 union all select id from lease where id = $1', [id]);

  test('sends, settles, and lets go of its claim in one commit', async () => {
    const { id, recipientId } = await request();
    await know(recipientId);
    await deliver(await claim(id));
    expect(await told(id)).toEqual(['requested', 'sent']);
    expect(arrived(id)).toMatchObject([{ messageId: `<${id}@tasks.example.org>`, to: `${recipientId}@example.org` }]);
    expect(await leftOver(id)).toEqual([]);
    expect(failPoints).toContain('after-smtp');
  });

  test('does not know the recipient yet: the mail waits', async () => {
    const { id, recipientId } = await request();
    await deliver(await claim(id));
    const [, attempted] = await eventsOf(database, 'stream', `mail-${id}`);
    expect(attempted?.data).toMatchObject({ provider: null, code: 'recipient-unknown', n: 1 });
    await know(recipientId);
    await database.sql('update schedule set due_at = now() where id = $1', [id]); // nobody waits for five seconds here
    const next = await claim(id);
    await deliver({ ...next, now: String(attempted?.data.retryAt) });
    expect(await told(id)).toEqual(['requested', 'attempted', 'sent']);
    expect(arrived(id)).toHaveLength(1);
  });

  test('logs each attempt that failed, and each mail that it gives up, without a word of the mail', async () => {
    const logged = (id: NotificationId) => lines.filter((line) => line.includes(id)).map((line) => JSON.parse(line));
    const refusedWith = async (at: 'end' | 'recipient', code: number) => {
      const { id, recipientId } = await request();
      await know(recipientId);
      server.behave({ kind: 'answers', at, code });
      await deliver(await claim(id));
      return id;
    };
    const soft = await refusedWith('end', 451);
    const hard = await refusedWith('recipient', 550);
    const [WARN, ERROR] = [40, 50];
    const common = { pid: process.pid, time: expect.any(String), count: 1 };
    expect(logged(soft)).toEqual([{ ...common, level: WARN, msg: RETRIED, code: 'smtp-451', stream: `mail-${soft}` }]);
    expect(logged(hard)).toEqual([
      { ...common, level: ERROR, msg: GIVEN_UP, code: 'smtp-550', stream: `mail-${hard}` },
    ]);
  });

  test('that lost its claim before it sent does not send', async () => {
    const { id, recipientId } = await request();
    await know(recipientId);
    const lost = await claim(id);
    const theirs = await takeOver(id);
    await deliver(lost);
    expect([await told(id), arrived(id)]).toEqual([['requested'], []]);
    await deliver(theirs);
    expect(await told(id)).toEqual(['requested', 'sent']);
    expect(arrived(id)).toHaveLength(1);
  });

  test('ends its attempt half a lease after it began, however long it read before', async () => {
    const { id, recipientId } = await request();
    await know(recipientId);
    const claimed = await claim(id);
    server.behave({ kind: 'waits', ms: 10_000 });
    const readable = database
      .sql(`do $$ begin lock table person; perform pg_sleep(1.2); end $$`)
      .then(() => performance.now());
    await pause(200);
    const began = performance.now();
    await deliverMail({ ...ports, lease: 4_000 })(claimed);
    const ended = performance.now();
    expect(ended - began).toBeGreaterThan(1_900);
    expect(ended - (await readable), 'not half a lease after it had read').toBeLessThan(1_900);
    expect(await told(id)).toEqual(['requested', 'attempted']);
  });

  test('that lost it while it sent settles nothing: the twin has the same Message-ID', async () => {
    const { id, recipientId } = await request();
    await know(recipientId);
    const lost = await claim(id);
    server.behave({ kind: 'waits', ms: 3_000 });
    const sending = deliver(lost);
    await until('the mail to be under way', () => arrived(id).length > 0);
    server.behave(undefined);
    await deliver(await takeOver(id));
    await sending;
    expect(await told(id)).toEqual(['requested', 'sent']);
    expect(arrived(id).map(({ messageId }) => messageId)).toEqual(Array(2).fill(`<${id}@tasks.example.org>`));
  });

  const BREAKS: readonly [Break, string][] = [
    ['cut-before', 'is lost before it is heard'],
    ['cut-after', 'is heard, and its answer lost'],
    ['all-silent', 'falls into a silence of all connections'],
  ];
  test.each(
    BREAKS,
  )('whose database is away once the mail is accepted (%s: COMMIT %s) waits, and sends nothing again', async (how) => {
    const { id, recipientId } = await request();
    await know(recipientId);
    const ours = await claim(id);
    server.behave({ kind: 'waits', ms: 1_000 }); // the connection breaks before it goes on, on a slow machine too
    const sending = deliver(ours);
    await until('the mail to be under way', () => arrived(id).length > 0);
    wire.breakNext(how);
    await Promise.race([sending, pause(2_000)]);
    wire.speak();
    await sending;
    expect(await told(id)).toEqual(['requested', 'sent']);
    expect(arrived(id)).toHaveLength(1);
    expect(await leftOver(id)).toEqual([]);
  });

  test('gives up a mail that killed those before it again and again, without another try', async () => {
    const { id, recipientId } = await request();
    await know(recipientId);
    await claim(id);
    await database.sql('update lease set claims = $2 where id = $1', [id, MOST_CLAIMS - 1]);
    const last = await takeOver(id);
    expect(last.claims).toBe(MOST_CLAIMS);
    await deliver(await takeOver(id));
    const [, failed] = await eventsOf(database, 'stream', `mail-${id}`);
    expect(failed).toMatchObject({
      type: 'notification.failed',
      data: { reason: 'exhausted', code: 'worker-lost', n: 0 },
    });
    expect(arrived(id)).toEqual([]);
    expect(await leftOver(id)).toEqual([]);
    expect(lines.filter((line) => line.includes(id)).map((line) => JSON.parse(line))).toMatchObject([
      { msg: GIVEN_UP, code: 'worker-lost', count: 0 },
    ]);
  });

  test('sets a schedule right that says otherwise than the mail, and sends nothing', async () => {
    const { id, recipientId } = await request();
    await know(recipientId);
    await deliver(await claim(id));
    await database.sql(`insert into schedule (id, version, stream_prefix, due_at) values ($1, 1, 'mail', now())`, [id]);
    await deliver(await claim(id));
    expect(await told(id)).toEqual(['requested', 'sent']);
    expect(arrived(id)).toHaveLength(1);
    expect(await leftOver(id)).toEqual([]);
  });
});
