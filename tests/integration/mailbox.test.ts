/** The built-in mailbox: what the first start shows of mails, with nothing configured; and that it can hurt nobody. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { expectProblem } from '../support/expectations.ts';
import { type MailServer, startMailServer } from '../support/smtp.ts';
import { until } from '../support/until.ts';

type Mail = { id: string; messageId: string; from: string; to: string; subject: string; text: string; html: string };

let product: TestApp;
beforeAll(async () => {
  product = await startTestApp({ PUBLIC_URL: 'https://tasks.example.org' });
});
afterAll(() => product.close());

const mailbox = async (query = ''): Promise<{ items: Mail[]; nextCursor: string | null }> =>
  (await product.ask('GET', `/api/v1/dev/mailbox?${query}`)).body;
const mailTo = (address: string, subject = /./) =>
  until(`a mail to ${address}`, async () =>
    (await mailbox('limit=200')).items.find((mail) => mail.to === address && subject.test(mail.subject)),
  );
const inMs = (ms: number): string => new Date(Date.now() + ms).toISOString();

describe('a mail lies there', () => {
  test('that welcomes whoever registered', async () => {
    const { email } = await product.person('ada');
    const mail = await mailTo(email);
    expect(mail).toEqual({
      id: expect.any(String),
      messageId: expect.stringMatching(/^<[0-9a-f-]{36}@tasks\.example\.org>$/),
      from: 'Taskwire <no-reply@tasks.example.org>',
      to: email,
      subject: 'Welcome to Taskwire, ada',
      text: expect.stringContaining('Hello ada,'),
      html: expect.stringContaining('<p>Hello ada,</p>'),
      at: expect.any(String),
    });
    expect(mail.text).toContain('https://tasks.example.org');
    expect((await product.ask('GET', `/api/v1/dev/mailbox/${mail.id}`)).body).toEqual(mail);
  });

  test('that tells of a task, in the owner’s zone', async () => {
    const { ask, email, id } = await product.person();
    await ask('PATCH', '/api/v1/me', { body: { timeZone: 'Asia/Tokyo', locale: 'en-GB' } });
    const heard = `select from notification_service.person where id = $1 and time_zone = 'Asia/Tokyo'`;
    await until('the zone to be heard of', async () => (await product.database.sql(heard, [id])).length > 0);
    const { body: task } = await ask('POST', '/api/v1/tasks', { body: { title: 'Water', due: { at: inMs(1_200) } } });
    const mail = await mailTo(email, /overdue/);
    expect(mail.subject).toBe('“Water” is overdue');
    const due = new Intl.DateTimeFormat('en-GB', { timeStyle: 'short', timeZone: 'Asia/Tokyo' });
    expect(mail.text).toContain(`at ${due.format(new Date(task.dueAt))} GMT+9`);
  });

  test('before those that came earlier, page by page', async () => {
    const names = ['one', 'two', 'three'].map((name) => `in-order-${name}`);
    for (const name of names) await mailTo((await product.person(name)).email);
    const shown: string[] = [];
    for (let cursor: string | null = ''; cursor !== null && shown.length < 4; ) {
      const page = await mailbox(`limit=1${cursor && `&cursor=${cursor}`}`);
      shown.push(...page.items.map(({ to }) => to));
      cursor = page.nextCursor;
    }
    expect(shown.slice(0, 3)).toEqual(names.toReversed().map((name) => `${name}@example.org`));
  });

  test('an id that there is not is 404', async () => {
    const absent = '/api/v1/dev/mailbox/01939d5e-0000-7000-8000-00000000dead';
    expectProblem(await product.ask('GET', absent), 404, 'mail-not-found');
  });
});

describe('the page for people', () => {
  const HOSTILE = `"><script>alert('x')</script><img src=//evil.example onerror=alert(1)>`;
  let mail: Mail;
  beforeAll(async () => {
    const { ask, email } = await product.person();
    await ask('POST', '/api/v1/tasks', { body: { title: HOSTILE, due: { at: inMs(200) } } });
    mail = await mailTo(email, /overdue/);
  });

  test('is found from the front door', async () => {
    expect((await product.ask('GET', '/')).body).toContain('href="/dev/mailbox"');
  });

  test('lists mails, and leads to each', async () => {
    const { status, headers, body } = await product.ask('GET', '/dev/mailbox');
    expect([status, headers['content-type']]).toEqual([200, expect.stringMatching(/^text\/html/)]);
    expect(body).toContain(`href="/dev/mailbox/${mail.id}"`);
    expect(body).toContain(mail.to);
  });

  test('keeps a date on one line, and lets a subject without spaces break', async () => {
    const { body } = await product.ask('GET', '/dev/mailbox');
    const [, row = ''] = /(<tr>.*?<\/tr>)/.exec(body) ?? [];
    expect(row).toMatch(
      /^<tr><td><time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d<\/time><\/td>.*<td><a [^>]*>[^<]*<\/a><\/td><\/tr>$/,
    );
    expect(body).toMatch(/^time { white-space: nowrap } td:last-child { overflow-wrap: anywhere }$/m);
  });

  test('says how many it shows where there are more', async () => {
    const shown = async (): Promise<string> => (await product.ask('GET', '/dev/mailbox')).body;
    expect(await shown()).not.toContain('Here are the newest');
    await product.database.sql(
      `insert into notification_service.dev_mailbox (id, message_id, sender, recipient, subject, text, html)
       select gen_random_uuid(), '', '', 'many@example.org', 'one of many', '', '' from generate_series(1, 101)`,
    );
    expect(await shown()).toContain('Here are the newest 100; ');
    expect((await shown()).match(/<tr>/g)).toHaveLength(100);
    await product.database.sql(`delete from notification_service.dev_mailbox where recipient = 'many@example.org'`);
  });

  test('shows a mail as text, and as HTML in a frame that can do nothing', async () => {
    const { status, headers, body } = await product.ask('GET', `/dev/mailbox/${mail.id}`);
    expect(status).toBe(200);
    expect(body).toContain(mail.messageId.replace('<', '&lt;').replace('>', '&gt;'));
    expect(body).toMatch(new RegExp(`<iframe sandbox="" src="/dev/mailbox/${mail.id}/html"`));
    const policy = String(headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-src 'self'");
    expect(policy).not.toContain('script-src');

    const framed = await product.ask('GET', `/dev/mailbox/${mail.id}/html`);
    expect([framed.status, framed.body]).toEqual([200, mail.html]);
    const framedPolicy = String(framed.headers['content-security-policy']);
    expect(framedPolicy).toMatch(/^sandbox;/);
    expect(framedPolicy).toContain("default-src 'none'");
    expect(framedPolicy).toContain("frame-ancestors 'self'");
    expect(framed.headers['x-frame-options']).toBe('SAMEORIGIN');
  });

  const PAGES = ['', '/:id', '/:id/html'];
  test.each(PAGES)('%s holds no markup that came from outside', async (rest) => {
    const { body } = await product.ask('GET', `/dev/mailbox${rest.replace(':id', mail.id)}`);
    expect(body).toContain('&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;');
    expect(body).not.toMatch(/<script|<img|javascript:/i);
  });

  test.each([
    '/dev/mailbox/01939d5e-0000-7000-8000-00000000dead',
    '/dev/mailbox/x/html',
  ])('%s is no page', async (url) => expect((await product.ask('GET', url)).status).toBeGreaterThanOrEqual(404));
});

describe('with a mail server', () => {
  let server: MailServer;
  let real: TestApp;
  beforeAll(async () => {
    server = await startMailServer();
    const SMTP_URL = `smtp://127.0.0.1:${server.port}`;
    real = await startTestApp({ SMTP_URL, MAIL_FROM: 'Us <us@example.org>' });
  });
  afterAll(() => Promise.all([real.close(), server.close()]));

  test('mails are sent', async () => {
    const { email } = await real.person('grace');
    await until('the welcome to arrive', () => server.received.length > 0);
    expect(server.received).toMatchObject([
      { to: email, from: 'Us <us@example.org>', subject: 'Welcome to Taskwire, grace' },
    ]);
  });

  const MAILBOXES = ['/dev/mailbox', '/api/v1/dev/mailbox'];
  test.each(MAILBOXES)('there is no %s', async (url) => {
    expectProblem(await real.ask('GET', url), 404, 'not-found');
  });

  test('no link and no description names the mailbox', async () => {
    expect((await real.ask('GET', '/')).body).not.toContain('mailbox');
    expect(Object.keys((await real.ask('GET', '/openapi.json')).body.paths).join()).not.toContain('mailbox');
  });
});
