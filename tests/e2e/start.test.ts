/** From the first start to the last stop, as somebody sees it who types commands. */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, mkdir, symlink, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { served } from '../support/served.ts';
import { succeeded } from '../support/succeeded.ts';
import { until } from '../support/until.ts';
import { asking, newPerson, PASSWORD } from './support/client.ts';
import { postmasterOf } from './support/processes.ts';
import { productBedPerTest, ROOT } from './support/product.ts';

const bed = productBedPerTest();

test('the first start shows its progress, and the next one finds everything there', async () => {
  const DATA_DIR = await bed.folder();
  const first = await bed.start({ env: { DATA_DIR } });
  expect(first.output()).toMatch(/creating the database cluster \(first start/);
  expect(first.output()).toMatch(/task_service: applied .*001_task/);
  const { ask, email } = await newPerson(first.url);
  const task = await ask('POST', '/api/v1/tasks', { body: { title: 'Still here?' } });
  const path = String(task.headers.get('location'));
  await succeeded(ask('POST', `${path}/complete`));
  const before = await ask('GET', path);
  const history = await ask('GET', `${path}/history`);
  first.signal('SIGTERM');
  expect(await first.exit).toEqual({ code: 0, signal: null });
  expect(await postmasterOf(DATA_DIR)).toBeUndefined();

  const second = await bed.start({ env: { DATA_DIR } });
  expect(second.output()).not.toMatch(/creating|applied/);
  const login = await asking(second.url)('POST', '/api/v1/auth/login', { body: { email, password: PASSWORD } });
  const again = asking(second.url, String(login.body?.accessToken));
  expect(before.body).toMatchObject({ status: 'completed', version: 2 });
  expect((await again('GET', path)).body).toEqual(before.body);
  expect((await again('GET', `${path}/history`)).body).toEqual(history.body);
});

test('a folder has one server: a second one is refused, and runs beside it on a folder of its own', async () => {
  const DATA_DIR = await bed.folder();
  const first = await bed.start({ env: { DATA_DIR } });
  const second = bed.taskwire(['start'], { env: { DATA_DIR } });
  expect(await second.exit).toEqual({ code: 1, signal: null });
  expect(second.output()).toBe(
    `taskwire: a server is already running on ${DATA_DIR} at ${first.url} (process ${first.pid}): ` +
      'stop it first, or start this one beside it with another DATA_DIR and another PORT\n',
  );
  const other = await bed.start({ env: { DATA_DIR: await bed.folder() } });
  for (const { url } of [other, first])
    expect((await served(() => asking(url)('GET', '/health/ready'))).status).toBe(200);
});

test('a port in use is named with the cure, and nothing is left running', async () => {
  const squatter = createServer().listen(0, '127.0.0.1');
  await once(squatter, 'listening');
  const { port } = squatter.address() as AddressInfo;
  const DATA_DIR = await bed.folder();
  const refused = bed.taskwire(['start'], { env: { DATA_DIR, PORT: String(port) } });
  expect(await refused.exit).toEqual({ code: 1, signal: null });
  expect(refused.output()).toMatch(new RegExp(`port ${port} is in use: .*PORT=`));
  expect(await postmasterOf(DATA_DIR)).toBeUndefined();
  expect(existsSync(join(DATA_DIR, 'server.json'))).toBe(false);
  squatter.close();
});

test('settings that cannot be used are all named at once, before anything is started', async () => {
  const DATA_DIR = await bed.folder();
  const env = { DATA_DIR, PORT: 'eight', PASSWORD_COST: '99', LOG_LEVEL: 'loud', MASTER_KEY: 'short' };
  const refused = bed.taskwire(['start'], { env });
  expect(await refused.exit).toEqual({ code: 2, signal: null });
  for (const name of ['PORT', 'PASSWORD_COST', 'LOG_LEVEL', 'MASTER_KEY']) expect(refused.output()).toContain(name);
  expect(refused.output()).not.toContain('short');
  expect(existsSync(DATA_DIR)).toBe(false);
});

test('a production that lacks its secrets, or that tests could kill, does not start', async () => {
  const refused = bed.taskwire(['start'], {
    env: { DATA_DIR: await bed.folder(), NODE_ENV: 'production', FAIL_POINT: 'after-append' },
  });
  expect(await refused.exit).toEqual({ code: 2, signal: null });
  const secrets = ['JWT_PRIVATE_KEYS', 'MASTER_KEY', 'PASSWORD_PEPPER', 'PUBLIC_URL', 'SMTP_URL'];
  for (const name of [...secrets, 'PASSWORD_COST', 'FAIL_POINT']) expect(refused.output()).toContain(name);
});

test('a data folder that cannot be one is named', async () => {
  const file = await bed.folder('file');
  await writeFile(file, '');
  const refused = bed.taskwire(['start'], { env: { DATA_DIR: file } });
  expect(await refused.exit).toEqual({ code: 1, signal: null });
  expect(refused.output()).toMatch(new RegExp(`${file} cannot be written .*DATA_DIR`));
});

test('it runs from a folder with spaces and foreign letters, with its settings in a .env file there', async () => {
  const root = await bed.folder('zoë’s プロジェクト 1');
  await mkdir(root);
  for (const name of ['bin', 'src', 'package.json', 'package-lock.json'])
    await cp(join(ROOT, name), join(root, name), { recursive: true });
  await symlink(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  await writeFile(join(root, '.env'), 'DATA_DIR="my data"\nPASSWORD_MIN_LENGTH=20\n');
  const server = await bed.start({ root });
  const answer = await asking(server.url)('POST', '/api/v1/auth/register', {
    body: { email: 'ada@example.org', username: 'ada', password: 'eighteen signs 18.' },
  });
  expect(answer.body).toMatchObject({ code: 'weak-password' });
  expect(existsSync(join(root, 'my data', 'postgres'))).toBe(true);
  server.signal('SIGTERM');
  expect(await server.exit).toEqual({ code: 0, signal: null });
});

describe('a stop', () => {
  test('by any signal, once or again, ends with 0 within 10 s, and the database with it', async () => {
    const DATA_DIR = await bed.folder();
    for (const signals of [['SIGTERM'], ['SIGINT', 'SIGINT'], ['SIGTERM', 'SIGINT', 'SIGTERM']] as const) {
      const server = await bed.start({ env: { DATA_DIR } });
      await newPerson(server.url);
      const began = performance.now();
      for (const signal of signals) server.signal(signal);
      expect(await server.exit, signals.join()).toEqual({ code: 0, signal: null });
      expect(performance.now() - began).toBeLessThan(10_000);
      expect(await postmasterOf(DATA_DIR)).toBeUndefined();
      expect(existsSync(join(DATA_DIR, 'server.json'))).toBe(false);
    }
  });

  test('answers what is under way', async () => {
    const server = await bed.start({ env: { DATA_DIR: await bed.folder() } });
    const { ask, token } = await newPerson(server.url);
    // A request of which the server has all but the last byte when the stop begins.
    const body = JSON.stringify({ title: 'In time' });
    const client = connect(Number(new URL(server.url).port), '127.0.0.1').setEncoding('utf8');
    let answer = '';
    client.on('data', (text) => {
      answer += text;
    });
    client.write(
      `POST /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n` +
        `Content-Type: application/json\r\nContent-Length: ${body.length}\r\nExpect: 100-continue\r\n\r\n`,
    );
    await until('its head to be read', () => answer.startsWith('HTTP/1.1 100 '));
    answer = '';
    client.write(body.slice(0, -1));
    server.signal('SIGTERM');
    await until('new connections to be refused', () =>
      ask('GET', '/health/live').then(
        () => false,
        () => true,
      ),
    );
    client.write(body.slice(-1));
    expect(await server.exit).toEqual({ code: 0, signal: null });
    expect(answer).toMatch(/^HTTP\/1.1 201 /);
  });

  test('does not wait for those who never finish their request', async () => {
    const server = await bed.start({ env: { DATA_DIR: await bed.folder() } });
    const client = connect(Number(new URL(server.url).port), '127.0.0.1').on('error', () => undefined);
    client.write('POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{');
    await asking(server.url)('GET', '/health/live'); // it was read by then
    const began = performance.now();
    server.signal('SIGTERM');
    expect(await server.exit).toEqual({ code: 0, signal: null });
    expect(performance.now() - began).toBeLessThan(10_000);
  });

  test('in the middle of the first start leaves a folder that starts', async () => {
    const DATA_DIR = await bed.folder();
    const early = bed.taskwire(['start'], { env: { DATA_DIR } });
    await early.said(/creating the database cluster/);
    early.signal('SIGINT');
    expect(await early.exit).toEqual({ code: 0, signal: null });
    await newPerson((await bed.start({ env: { DATA_DIR } })).url);
  });
});

test('kill -9 leaves no database behind, and the folder can be used at once', async () => {
  const DATA_DIR = await bed.folder();
  const first = await bed.start({ env: { DATA_DIR } });
  first.signal('SIGKILL');
  await first.exit;
  await until('the database to end', async () => !(await postmasterOf(DATA_DIR)));
  const second = await bed.start({ env: { DATA_DIR } });
  second.signal('SIGKILL');
  await newPerson((await bed.start({ env: { DATA_DIR } })).url);
});
