/** Whoever carries mails keeps one promise: accepted means that it is there, whole; everything else is said by a code. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { EmailAddress } from '../../src/contracts/user.ts';
import { type Database, openDatabase } from '../../src/platform/sql/database.ts';
import {
  MailRefused,
  type MailTransport,
  type OutgoingMail,
  senderOf,
} from '../../src/services/notification/infrastructure/mail-transport.ts';
import { createMailboxTransport, listMailbox } from '../../src/services/notification/infrastructure/mailbox.ts';
import { createSmtpTransport } from '../../src/services/notification/infrastructure/smtp.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { findOnPath, requirement } from '../support/requires.ts';
import { type Behaviour, type MailServer, startMailServer } from '../support/smtp.ts';

const MAIL: OutgoingMail = {
  messageId: '<01939d5e-0000-7000-8000-0000000000aa@tasks.example.org>',
  from: senderOf('Taskwire <no-reply@tasks.example.org>'),
  to: 'ada@example.org' as EmailAddress,
  subject: '“Müll rausbringen” is due soon – 日本 👩‍👩‍👧',
  text: `Grüße, ${'a line that is longer than what a mail server takes, which is 998 bytes. '.repeat(20)}\n.\n.. dots\n`,
  html: `<!doctype html>\n<p>Grüße, <strong>“Müll”</strong> =20 &lt;script&gt; ${'long '.repeat(300)}</p>\n`,
};
const never = () => new AbortController().signal;
const codeOf = async (sending: Promise<void>): Promise<readonly string[]> => {
  try {
    await sending;
    return ['accepted'];
  } catch (error) {
    if (!(error instanceof MailRefused)) throw error;
    return [error.kind, error.code];
  }
};

let database: TestDatabase;
let service: Database;
let server: MailServer;
beforeAll(async () => {
  database = await createTestDatabase();
  service = openService(database.address);
  server = await startMailServer();
});
afterEach(() => server.behave(undefined));
afterAll(async () => {
  await Promise.all([service.close(), server.close()]);
  await database.drop();
});
const openService = (address: TestDatabase['address']): Database =>
  openDatabase({
    address,
    schema: 'notification_service',
    role: 'notification_service',
    connections: 1,
    statementTimeout: 2_000,
    applicationName: 'mail transports',
  });

const newest = async (limit: number) => (await listMailbox(service, { limit })).rows;

type Carried = Pick<OutgoingMail, 'messageId' | 'subject' | 'text' | 'html'> & {
  readonly from: string;
  readonly to: string;
};
type Carrier = {
  readonly open: () => MailTransport;
  readonly arrived: () => Promise<readonly Carried[]>;
  /** The same where nobody is. */
  readonly stranded: () => MailTransport & { close?(): Promise<void> };
};
const CARRIERS: Readonly<Record<'smtp' | 'mailbox', Carrier>> = {
  smtp: {
    open: () => createSmtpTransport(`smtp://127.0.0.1:${server.port}`),
    arrived: async () => server.received,
    stranded: () => createSmtpTransport('smtp://127.0.0.1:1'),
  },
  mailbox: {
    open: () => createMailboxTransport(service),
    arrived: async () => (await newest(100)).toReversed(),
    stranded: () => {
      const away = openService({ ...database.address, host: '127.0.0.1', port: 1 });
      return { ...createMailboxTransport(away), close: away.close };
    },
  },
};

describe.each(Object.entries(CARRIERS))('%s', (provider, { open, arrived, stranded }) => {
  test('says who it is', () => expect(open().provider).toBe(provider));

  test('brings a mail whole', async () => {
    await open().send(MAIL, never());
    const mail = (await arrived()).at(-1);
    expect(mail?.messageId).toBe(MAIL.messageId);
    expect(mail?.from).toMatch(/^"?Taskwire"? <no-reply@tasks.example.org>$/);
    expect(mail?.to).toBe(MAIL.to);
    expect(mail?.subject).toBe(MAIL.subject);
    expect([mail?.text.trim(), mail?.html.trim()]).toEqual([MAIL.text.trim(), MAIL.html.trim()]);
  });

  test('sends the same mail twice under the same Message-ID', async () => {
    const before = (await arrived()).length;
    for (let n = 0; n < 2; n += 1) await open().send(MAIL, never());
    const twins = (await arrived()).slice(before).map(({ messageId }) => messageId);
    expect(twins).toEqual([MAIL.messageId, MAIL.messageId]);
  });

  test('brings many at once', async () => {
    const before = (await arrived()).length;
    const transport = open();
    const subjects = Array.from({ length: 20 }, (_, n) => `mail ${n}`);
    await Promise.all(subjects.map((subject) => transport.send({ ...MAIL, subject }, never())));
    const brought = (await arrived()).slice(before).map(({ subject }) => subject);
    expect(brought.toSorted()).toEqual(subjects.toSorted());
  });

  test('sends nothing once its signal is aborted', async () => {
    const before = (await arrived()).length;
    expect(await codeOf(open().send(MAIL, AbortSignal.abort()))).toEqual(['transient', 'timeout']);
    expect(await arrived()).toHaveLength(before);
  });

  test('fails for now, not for good, when nobody is there', async () => {
    const transport = stranded();
    const [kind] = await codeOf(transport.send(MAIL, never()));
    expect(kind).toBe('transient');
    await transport.close?.();
  });
});

describe('a mail server', () => {
  const send = (query = '', signal = never()) =>
    codeOf(createSmtpTransport(`smtp://127.0.0.1:${server.port}${query}`).send(MAIL, signal));

  const BEHAVIOURS: readonly [what: string, behaviour: Behaviour, outcome: readonly string[]][] = [
    ['refuses the recipient', { kind: 'answers', at: 'recipient', code: 550 }, ['permanent', 'smtp-550']],
    ['refuses the sender', { kind: 'answers', at: 'sender', code: 553 }, ['permanent', 'smtp-553']],
    ['refuses what it read', { kind: 'answers', at: 'end', code: 554 }, ['permanent', 'smtp-554']],
    ['wants another to log in first', { kind: 'answers', at: 'sender', code: 530 }, ['transient', 'smtp-530']],
    ['takes nothing from us at all', { kind: 'answers', at: 'connect', code: 554 }, ['transient', 'smtp-554']],
    ['greylists the recipient', { kind: 'answers', at: 'recipient', code: 450 }, ['transient', 'smtp-450']],
    ['has no room just now', { kind: 'answers', at: 'end', code: 452 }, ['transient', 'smtp-452']],
    ['is shutting down', { kind: 'answers', at: 'sender', code: 421 }, ['transient', 'smtp-421']],
    ['hangs up before it says a word', { kind: 'cuts', at: 'connect' }, ['transient', 'connection-lost']],
    ['hangs up in the middle of the mail', { kind: 'cuts', at: 'middle' }, ['transient', 'connection-lost']],
    ['hangs up once it accepted', { kind: 'cuts', at: 'accepted' }, ['accepted']],
    ['is slow', { kind: 'waits', ms: 700 }, ['accepted']],
  ];
  test.each(BEHAVIOURS)('that %s', async (_what, behaviour, outcome) => {
    server.behave(behaviour);
    expect(await send()).toEqual(outcome);
  });

  test('that is slower than we can wait', async () => {
    server.behave({ kind: 'waits', ms: 5_000 });
    expect(await send('', AbortSignal.timeout(1_500))).toEqual(['transient', 'timeout']);
  });

  test('that is not there refuses the connection', async () =>
    expect(await codeOf(createSmtpTransport('smtp://127.0.0.1:1').send(MAIL, never()))).toEqual([
      'transient',
      'connection-refused',
    ]));
  test('whose name nobody knows', async () =>
    expect(await codeOf(createSmtpTransport('smtp://mail.invalid:25').send(MAIL, never()))).toEqual([
      'transient',
      'host-unknown',
    ]));

  test('is told that no person wrote it', async () => {
    await send();
    expect(server.received.at(-1)?.headers.get('auto-submitted')).toBe('auto-generated');
  });
  test('gets text and HTML as two forms of the same', async () => {
    await send();
    expect(server.received.at(-1)?.headers.get('content-type')).toMatch(/^multipart\/alternative/);
  });

  test('that does not speak TLS gets nothing when it is to, nor a password', async () => {
    const before = server.received.length;
    expect(await send('?tls=required')).toEqual(['transient', 'tls-failed']);
    const withPassword = createSmtpTransport(`smtp://ada:secret@127.0.0.1:${server.port}`);
    expect(await codeOf(withPassword.send(MAIL, never()))).toEqual(['transient', 'tls-failed']);
    expect(server.received).toHaveLength(before);
  });
});

requirement('openssl', 'apt-get install openssl', () => findOnPath('openssl')).describe('TLS', (openssl) => {
  let encrypted: MailServer;
  let fromTheStart: MailServer;
  let cert: string;
  const trusted = tls.getCACertificates('default');
  beforeAll(async () => {
    const folder = mkdtempSync(join(tmpdir(), 'taskwire-tls-'));
    const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    execFileSync(
      openssl,
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-days',
        '2',
        '-keyout',
        keyFile,
        '-out',
        certFile,
        '-subj',
        '/CN=localhost',
        '-addext',
        'subjectAltName=DNS:localhost',
      ],
      { stdio: 'ignore' },
    );
    const key = readFileSync(keyFile, 'utf8');
    cert = readFileSync(certFile, 'utf8');
    rmSync(folder, { recursive: true });
    const onAuth: NonNullable<Parameters<typeof startMailServer>[0]>['onAuth'] = (auth, _session, done) =>
      auth.username === 'ada' && auth.password === 'p@ss word'
        ? done(null, { user: 'ada' })
        : done(Object.assign(new Error('wrong'), { responseCode: 535 }));
    encrypted = await startMailServer({ key, cert, disabledCommands: [], authOptional: false, onAuth });
    fromTheStart = await startMailServer({ key, cert, secure: true });
  });
  afterAll(() => Promise.all([encrypted.close(), fromTheStart.close()]));
  afterEach(() => tls.setDefaultCACertificates(trusted));

  const sendTo = (url: string) => codeOf(createSmtpTransport(url).send(MAIL, never()));
  const withLogin = (password: string) => `smtp://ada:${encodeURIComponent(password)}@localhost:${encrypted.port}`;

  test('of a certificate that nobody vouches for is none', async () => {
    expect(await sendTo(withLogin('p@ss word'))).toEqual(['transient', 'tls-failed']);
    expect(await sendTo(`smtps://localhost:${fromTheStart.port}`)).toEqual(['transient', 'tls-failed']);
    expect([encrypted.received, fromTheStart.received]).toEqual([[], []]);
  });
  test('is changed to before the password is told', async () => {
    tls.setDefaultCACertificates([...trusted, cert]);
    expect(await sendTo(withLogin('p@ss word'))).toEqual(['accepted']);
    expect(encrypted.received).toHaveLength(1);
  });
  test('and a wrong password: the mail is not to blame', async () => {
    tls.setDefaultCACertificates([...trusted, cert]);
    expect(await sendTo(withLogin('wrong'))).toEqual(['transient', 'smtp-535']);
  });
  test('is spoken from the start', async () => {
    tls.setDefaultCACertificates([...trusted, cert]);
    expect(await sendTo(`smtps://localhost:${fromTheStart.port}`)).toEqual(['accepted']);
    expect(fromTheStart.received).toHaveLength(1);
  });
});

test('the mailbox keeps the newest ten thousand', async () => {
  await service.write(
    {
      name: 'fill',
      text: `insert into dev_mailbox (id, message_id, sender, recipient, subject, text, html)
             select gen_random_uuid(), '', '', '', n::text, '', '' from generate_series(1, 10050) n`,
    },
    [],
  );
  await createMailboxTransport(service).send(MAIL, never());
  const [row] = await database.sql('select count(*)::int as count from notification_service.dev_mailbox');
  expect(row).toEqual({ count: 10_000 });
  expect((await newest(2)).map(({ subject }) => subject)).toEqual([MAIL.subject, '10050']);
});
