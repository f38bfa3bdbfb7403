/** A body that cannot be what it should gets a 4xx problem that points at the fault, and leaves nothing behind. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PASSWORD, startTestApp, type TestApp } from '../support/app.ts';
import { expectNothingStored, expectProblem } from '../support/expectations.ts';

let product: TestApp;
let ada: Awaited<ReturnType<TestApp['person']>>;
let task: string;
beforeAll(async () => {
  product = await startTestApp();
  ada = await product.person();
  task = `/api/v1/tasks/${(await ada.ask('POST', '/api/v1/tasks', { body: { title: 'a task' } })).body.id}`;
});
afterAll(() => product.close());

const create = (raw: string | Buffer, type = 'application/json') =>
  ada.ask('POST', '/api/v1/tasks', { raw, headers: { 'content-type': type } });
const title = (bytes: string | Buffer) =>
  Buffer.concat([Buffer.from('{"title":"'), Buffer.from(bytes), Buffer.from('"}')]);

describe('unreadable', () => {
  test.each<[what: string, raw: string | Buffer, code: string]>([
    ['no JSON', 'title=water', 'malformed-json'],
    ['JSON cut off', '{"title":"wat', 'malformed-json'],
    ['JSON and more', '{"title":"a"} {}', 'malformed-json'],
    ['a trailing comma', '{"title":"a",}', 'malformed-json'],
    ['single quotes', "{'title':'a'}", 'malformed-json'],
    ['NaN', '{"title":NaN}', 'malformed-json'],
    ['only space', '   ', 'malformed-json'],
    ['a byte order mark', '\ufeff{"title":"a"}', 'malformed-json'],
    ['UTF-16', Buffer.from('{"title":"a"}', 'utf16le'), 'malformed-json'],
    ['Latin-1', title(Buffer.from('Gr\u00fc\u00dfe', 'latin1')), 'malformed-json'],
    ['an overlong encoding', title(Buffer.from([0xc0, 0xaf])), 'malformed-json'],
    ['half a surrogate pair as raw bytes', title(Buffer.from([0xed, 0xa0, 0x80])), 'malformed-json'],
    ['a character cut off', title(Buffer.from([0xe2, 0x82])), 'malformed-json'],
    ['a raw NUL', title('a\0b'), 'malformed-json'],
    ['a raw line break', title('a\nb'), 'malformed-json'],
    ['__proto__', '{"title":"a","__proto__":{"admin":true}}', 'malformed-json'],
    ['__proto__ in disguise', '{"title":"a","\\u005f_proto__":{"admin":true}}', 'malformed-json'],
    ['100,000 brackets', '['.repeat(100_000), 'too-deep'],
    ['100,000 braces', '{"a":'.repeat(40_000), 'too-deep'],
    ['33 levels, closed', `${'['.repeat(33)}${']'.repeat(33)}`, 'too-deep'],
    ['nothing', '', 'body-required'],
    ['null', 'null', 'body-required'],
  ])('%s is 400', async (_what, raw, code) => {
    await expectNothingStored(product, async () => expectProblem(await create(raw), 400, code));
  });

  test.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/xml',
    'rubbish',
    '',
  ])('a body of type %j is 415', async (type) => {
    await expectNothingStored(product, async () =>
      expectProblem(await create('{"title":"a"}', type), 415, 'unsupported-media-type'),
    );
  });

  test('300 kB are 413', async () => {
    await expectNothingStored(product, async () =>
      expectProblem(await create(title('x'.repeat(300_000))), 413, 'body-too-large'),
    );
  });
});

describe('readable but wrong', () => {
  const LONG = 'x'.repeat(201);
  test.each<[what: string, raw: string, pointer: string]>([
    ['a list', '[]', ''],
    ['a number', '1', ''],
    ['a text', '"title"', ''],
    ['an empty object', '{}', '/title'],
    ['a number for a title', '{"title":1}', '/title'],
    ['an object for a title', '{"title":{"toString":"x"}}', '/title'],
    ['no title at all', '{"title":""}', '/title'],
    ['a blank title', '{"title":" \\t "}', '/title'],
    ['a long title', `{"title":"${LONG}"}`, '/title'],
    ['a long description', `{"title":"a","description":"${'x'.repeat(10_001)}"}`, '/description'],
    ['an unknown field', '{"title":"a","titel":"b"}', '/titel'],
    ['an unknown field with a slash', '{"title":"a","a/b~c":"b"}', '/a~1b~0c'],
    ['constructor', '{"title":"a","constructor":{"prototype":{}}}', '/constructor'],
    ['prototype', '{"title":"a","prototype":{}}', '/prototype'],
    ['a field that is ours to set', '{"title":"a","ownerId":"01939d5e-0000-7000-8000-000000000001"}', '/ownerId'],
    ['an escaped NUL', '{"title":"a\\u0000b"}', '/title'],
    ['half a surrogate pair', '{"title":"\\ud800"}', '/title'],
    ['the other half', '{"title":"a\\udc00b"}', '/title'],
    ['a pair the wrong way round', '{"title":"\\udc00\\ud800"}', '/title'],
    ['half a pair deeper down', '{"title":"a","due":{"date":"2030-01-01","zone":"\\ud800"}}', '/due/zone'],
    ['half a pair in a key', '{"title":"a","\\ud800":1}', ''],
    ['an unknown priority', '{"title":"a","priority":"HIGH"}', '/priority'],
    ['a priority from a prototype', '{"title":"a","priority":"constructor"}', '/priority'],
    ['a list of priorities', '{"title":"a","priority":["high"]}', '/priority'],
    ['an id that is none', '{"title":"a","categoryId":"1"}', '/categoryId'],
    ['an id in upper case', '{"title":"a","categoryId":"01939D5E-0000-7000-8000-00000000DEAD"}', '/categoryId'],
    ['an id as a URN', '{"title":"a","categoryId":"urn:uuid:01939d5e-0000-7000-8000-00000000dead"}', '/categoryId'],
    ['an id in braces', '{"title":"a","categoryId":"{01939d5e-0000-7000-8000-00000000dead}"}', '/categoryId'],
    ['a due date that is a text', '{"title":"a","due":"2030-01-01"}', '/due'],
    ['both kinds of due date', '{"title":"a","due":{"at":"2030-01-01T00:00:00Z","date":"2030-01-01"}}', '/due'],
    ['a date without a zone', '{"title":"a","due":{"date":"2030-01-01"}}', '/due'],
  ])('%s is 422 at its place', async (_what, raw, pointer) => {
    await expectNothingStored(product, async () => {
      expect(expectProblem(await create(raw), 422, 'invalid-input')).toContain(pointer);
    });
  });

  const day = (date: string, zone = 'Europe/Berlin') => ({ date, zone });
  const at = (instant: string) => ({ at: instant });
  test.each<[what: string, due: object]>([
    ['30 February', day('2030-02-30')],
    ['29 February of a common year', day('2030-02-29')],
    ['month 13', day('2030-13-01')],
    ['day 0', day('2030-01-00')],
    ['year 0', day('0000-01-01')],
    ['year 10000', day('10000-01-01')],
    ['the last day that RFC 3339 can write, which ends in the year 10000', day('9999-12-31', 'UTC')],
    ['a date with a time', day('2030-01-01T00:00:00Z')],
    ['a date in digits', day('20300101')],
    ['no zone', day('2030-01-01', '')],
    ['an unknown zone', day('2030-01-01', 'Europe/Atlantis')],
    ['an offset for a zone', day('2030-01-01', '+02:00')],
    ['a zone with a path', day('2030-01-01', '../../etc/passwd')],
    ['a long zone', day('2030-01-01', 'A'.repeat(10_000))],
    ['a leap second', at('2016-12-31T23:59:60Z')],
    ['hour 24', at('2030-01-01T24:00:00Z')],
    ['an offset for Z', at('2030-01-01T00:00:00+02:00')],
    ['no zone at all', at('2030-01-01T00:00:00')],
    ['a fraction of ten digits', at('2030-01-01T00:00:00.1234567891Z')],
    ['a comma for the point', at('2030-01-01T00:00:00,5Z')],
    ['lower case', at('2030-01-01t00:00:00z')],
    ['a space for the T', at('2030-01-01 00:00:00Z')],
    ['30 February at noon', at('2030-02-30T12:00:00Z')],
    ['year 0 at noon', at('0000-01-01T12:00:00Z')],
    ['infinity', at('infinity')],
    ['now', at('now')],
  ])('due on %s is 422', async (_what, due) => {
    const body = { title: 'due', due };
    await expectNothingStored(product, async () => {
      expect(expectProblem(await ada.ask('POST', '/api/v1/tasks', { body }), 422, 'invalid-input')).toEqual(['/due']);
    });
  });

  test.each<[what: string, url: string, raw: string, pointer: string]>([
    ['a colour', '/api/v1/categories', '{"name":"a","color":"red"}', '/color'],
    ['an order below 0', '/api/v1/categories', '{"name":"a","order":-1}', '/order'],
    ['an order beyond all', '/api/v1/categories', '{"name":"a","order":1e400}', '/order'],
    ['an order of 1e21', '/api/v1/categories', '{"name":"a","order":1e21}', '/order'],
    ['half an order', '/api/v1/categories', '{"name":"a","order":0.5}', '/order'],
    ['an order in quotes', '/api/v1/categories', '{"name":"a","order":"1"}', '/order'],
    ...[
      'ada',
      'ada@',
      '@example.org',
      'a b@example.org',
      'ada@localhost',
      'ada@example..org',
      'ada@-a.org',
      'ada@example.org.',
      '.ada@example.org',
      '\\"a d a\\"@example.org',
      'ada@[127.0.0.1]',
      'äda@example.org',
      'ada@example.org\\nbcc: eve@example.org',
      `${'a'.repeat(65)}@example.org`,
      `ada@${'a.'.repeat(150)}org`,
      ' ada@example.org',
    ].map((email): [string, string, string, string] => [
      `the address ${email.slice(0, 40)}`,
      '/api/v1/auth/register',
      `{"email":"${email}","username":"eve","password":"${PASSWORD}"}`,
      '/email',
    ]),
    ...['ab', 'a'.repeat(33), 'a b', 'a/b', 'ädä', 'eve\\n', '<script>'].map(
      (username): [string, string, string, string] => [
        `the username ${username}`,
        '/api/v1/auth/register',
        `{"email":"eve@example.org","username":"${username}","password":"${PASSWORD}"}`,
        '/username',
      ],
    ),
  ])('%s is 422 at its place', async (_what, url, raw, pointer) => {
    await expectNothingStored(product, async () => {
      expect(expectProblem(await ada.ask('POST', url, { raw }), 422, 'invalid-input')).toContain(pointer);
    });
  });

  test.each<[field: string, value: unknown]>([
    ['locale', 'not a locale'],
    ['locale', 'x'.repeat(36)],
    ['timeZone', 'Mars/Olympus'],
    ['displayName', ' '],
    ['displayName', 'x'.repeat(101)],
    ['username', null],
    ['email', 'other@example.org'],
    ['roles', ['admin']],
  ])('a profile with %s: %j is 422', async (field, value) => {
    await expectNothingStored(product, async () => {
      const answer = await ada.ask('PATCH', '/api/v1/me', { body: { [field]: value } });
      expect(expectProblem(answer, 422, 'invalid-input')).toContain(`/${field}`);
    });
  });

  test('many faults are told at once, but not without end', async () => {
    const fields = Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`unknown${n}`, n]));
    const pointers = expectProblem(await create(JSON.stringify({ title: 1, ...fields })), 422, 'invalid-input');
    expect(pointers).toHaveLength(20);
  });
});

test.each<[raw: string, status: number]>([
  ['', 200],
  ['{}', 200],
  ['null', 200],
  ['{"force":true}', 422],
  ['[]', 422],
  ['1', 422],
  ['{', 400],
])('an action with the body %j is %i', async (raw, status) => {
  const answer = await ada.ask('POST', `${task}/complete`, { raw });
  expect(answer.status).toBe(status);
  await ada.ask('POST', `${task}/reopen`);
});

test('what is unusual but right is taken, and comes back as it was sent', async () => {
  const texts = [
    '🧑‍🚀 𝒳',
    'e\u0301 and é',
    '<b>&amp;"\'\\',
    '\u202eright to left',
    'x'.repeat(200),
    '𝒳'.repeat(200),
    '{"$sealed":"x"}',
    '\ufffd\ufeff',
  ];
  for (const text of texts) {
    const { status, body } = await ada.ask('POST', '/api/v1/tasks', {
      body: { title: text, description: `${text}\n\t` },
    });
    expect([status, body.title]).toEqual([201, text]);
    expect((await ada.ask('GET', `/api/v1/tasks/${body.id}`)).body).toEqual(body);
    expect((await ada.ask('GET', `/api/v1/tasks/${body.id}/history`)).body.items[0].changes.title.to).toBe(text);
  }
});
