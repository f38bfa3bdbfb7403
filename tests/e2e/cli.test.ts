/** `taskwire …` beside a running server, and without one. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { succeeded } from '../support/succeeded.ts';
import { type Ask, newPerson } from './support/client.ts';
import { postmasterOf } from './support/processes.ts';
import { productBed, ROOT, type Server } from './support/product.ts';

const bed = productBed();
let DATA_DIR: string;
let server: Server | undefined;
let ask: Ask;
let stream: string;
afterAll(bed.clear);

/** What a command says, once it has ended. */
const taskwire = async (...args: readonly string[]) => {
  const run = bed.taskwire(args, { env: { DATA_DIR } });
  const { code } = await run.exit;
  return { code, output: run.output(), lines: run.output().trimEnd().split('\n') };
};
const stop = async (): Promise<void> => {
  server?.signal('SIGTERM');
  await server?.exit;
  server = undefined;
};

beforeAll(async () => {
  DATA_DIR = await bed.folder();
});

describe('before anything was ever started', () => {
  test('help names every command, and starts nothing', async () => {
    const { code, output } = await taskwire('--help');
    expect(code).toBe(0);
    for (const command of ['start', 'migrate', 'keys', 'events', 'consumers', 'dead-letters', 'projections'])
      expect(output).toContain(`  ${command}`);
    expect(output).toContain('Exit status: 0 done, 1 failed or not found, 2 wrong usage or settings.');
    const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));
    expect((await taskwire('--version')).lines).toEqual([version]);
    expect((await taskwire('events', '--help')).output).toMatch(/show .*tail .*trace /s);
    expect((await taskwire('dead-letters', 'redrive', '--help')).output).toMatch(
      /Examples:\n {2}\$ taskwire dead-letters redrive /,
    );
    expect((await taskwire('keys', 'rewrap', '--help')).output).toMatch(/--json .*Examples:\n {2}\$ .*keys rewrap\n/s);
    expect(existsSync(DATA_DIR)).toBe(false);
  });

  test.each([
    { args: ['dance'], says: /unknown command 'dance'/ },
    { args: ['start', '--loud'], says: /unknown option '--loud'/ },
    { args: ['events', 'show'], says: /missing required argument 'stream'/ },
    { args: ['events', 'tail', '-n'], says: /option '-n, --lines <count>' argument missing/ },
    { args: ['events', 'tail', '-n', 'few'], says: /--lines must be a whole number/ },
    {
      args: ['events', 'verify', '--from', 'rabbit'],
      says: /argument 'rabbit' is invalid\. Allowed choices are kafka/,
    },
    { args: ['events', 'restore', '--from', 'kafka', '--service', 'x'], says: /Allowed choices are user, task, / },
    { args: ['migrate', 'twice'], says: /too many arguments for 'migrate'/ },
  ])('taskwire $args is refused with what is wrong', async ({ args, says }) => {
    const { code, output } = await taskwire(...args);
    expect(output).toMatch(says);
    expect(code).toBe(2);
    expect(existsSync(DATA_DIR)).toBe(false);
  });

  test('a line of passwords that cannot be used is named as an editor counts it', async () => {
    const file = join(await bed.folder('.'), 'logins.txt');
    await writeFile(file, '# logins\n\nuser_service_login=eight characters\ntask_service_login=short\n');
    const { code, output } = await taskwire('roles', 'apply', '--passwords', file);
    expect(output).toMatch(/^taskwire: line 4 of the passwords is not login=password, /);
    expect(output).not.toContain('short');
    expect(code).toBe(2);
  });

  test.each([
    ['migrate', 'status'],
    ['events', 'tail'],
    ['events', 'show', 'task-1'],
    ['consumers', 'list'],
    ['dead-letters', 'list'],
  ])('who only looks is told that there is nothing, and nothing is made: taskwire %s %s', async (...args) => {
    const { code, output } = await taskwire(...args);
    expect(output).toMatch(/there is nothing in .* yet: run `npm start` or `taskwire migrate`/);
    expect(code).toBe(1);
    expect(existsSync(DATA_DIR)).toBe(false);
  });

  test('migrate brings every schema up to date, once', async () => {
    const first = await taskwire('migrate');
    expect(first).toMatchObject({ code: 0, output: expect.stringMatching(/task_service: applied .*001_task/) });
    expect(await taskwire('migrate')).toMatchObject({
      code: 0,
      lines: ['keys', 'user_service', 'task_service', 'notification_service'].map((schema) => `${schema}: up to date`),
    });
    expect(await taskwire('events', 'tail')).toMatchObject({ code: 0, output: '' });
    expect(await postmasterOf(DATA_DIR)).toBeUndefined();
  });
});

describe.each([{ where: 'beside a running server' }, { where: 'without a server' }])('$where', ({ where }) => {
  beforeAll(async () => {
    if (where === 'without a server') return stop();
    server = await bed.start({ env: { DATA_DIR } });
    ({ ask } = await newPerson(server.url));
    const task = await ask('POST', '/api/v1/tasks', { body: { title: 'Nobody else reads this' } });
    stream = `task-${task.body?.id}`;
    await succeeded(ask('PATCH', `/api/v1/tasks/${task.body?.id}`, { body: { priority: 'high' } }));
    await succeeded(ask('POST', `/api/v1/tasks/${task.body?.id}/complete`));
  });

  test('migrate finds nothing to do, and says when what was done', async () => {
    expect((await taskwire('migrate')).lines).toContain('task_service: up to date');
    const { lines } = await taskwire('migrate', 'status');
    expect(lines.length).toBeGreaterThan(4);
    for (const line of lines) expect(line).toMatch(/ \d{4}-\d\d-\d\dT[\d:.]+Z$/);
    const states = JSON.parse((await taskwire('migrate', 'status', '--json')).output);
    expect(states.map(({ name }: { name: string }) => name)).toEqual(lines.map((line) => line.split(/ +/)[1]));
  });

  test('events show prints a stream in order, with what is personal sealed unless it shall be opened', async () => {
    const sealed = await taskwire('events', 'show', stream);
    expect(sealed.code).toBe(0);
    expect(sealed.lines.map((line) => line.split(/ {2,}/).slice(1, 3))).toEqual([
      [`${stream}@1`, 'task.created'],
      [`${stream}@2`, 'task.updated'],
      [`${stream}@3`, 'task.completed'],
    ]);
    expect(sealed.output).not.toContain('Nobody else');
    expect((await taskwire('events', 'show', stream, '--open')).lines[0]).toContain('"title":"Nobody else reads this"');
    const opened = JSON.parse((await taskwire('events', 'show', stream, '--open', '--json')).output);
    expect(opened).toMatchObject([
      { stream, version: 1, type: 'task.created', data: { title: 'Nobody else reads this' } },
      { version: 2 },
      { version: 3 },
    ]);
    expect(await taskwire('events', 'show', 'task-none')).toMatchObject({
      code: 1,
      output: 'taskwire: there is no stream task-none\n',
    });
  });

  test('events tail prints as many of the newest as asked for, of all services', async () => {
    const types = async (n: string) =>
      (await taskwire('events', 'tail', '-n', n)).lines.map((line) => line.split(/ {2,}/)[2]);
    expect(await types('2')).toHaveLength(2);
    // What comes of them comes when it comes.
    expect((await types('20')).filter((type) => !type?.startsWith('notification.'))).toEqual([
      'user.created',
      'user.authenticated',
      'task.created',
      'task.updated',
      'task.completed',
    ]);
    expect((await taskwire('events', 'tail', '-n', '0')).output).toBe('');
    const { lines } = await taskwire('events', 'tail', '-n', '3', '--json');
    for (const line of lines)
      expect(JSON.parse(line)).toMatchObject({ id: expect.any(String), metadata: {}, data: {} });
    expect(lines).toHaveLength(3);
  });
});

describe('events tail -f', () => {
  beforeAll(async () => {
    server = await bed.start({ env: { DATA_DIR } });
    ({ ask } = await newPerson(server.url));
  });

  test('goes on with what is committed', async () => {
    const tail = bed.taskwire(['events', 'tail', '-n', '5', '-f'], { env: { DATA_DIR } });
    await tail.said(/user\.authenticated/);
    const id = (await ask('POST', '/api/v1/tasks', { body: { title: 'Seen at once' } })).body?.id;
    await tail.said(new RegExp(`task-${id}@1 +task\\.created`));
    await ask('POST', `/api/v1/tasks/${id}/complete`);
    await tail.said(new RegExp(`task-${id}@2 +task\\.completed`));
    const ofIt = tail
      .output()
      .split('\n')
      .filter((line) => line.includes(` task-${id}@`));
    expect(ofIt, 'each once').toHaveLength(2);
    tail.signal('SIGINT');
    expect((await tail.exit).signal).toBe('SIGINT');
  });

  test('ends when nobody reads it any more', async () => {
    const tail = spawn(process.execPath, [join(ROOT, 'bin/taskwire.js'), 'events', 'tail', '-n', '1', '-f'], {
      env: { PATH: process.env.PATH, DATA_DIR },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = new Promise((resolve) => tail.once('exit', resolve));
    await new Promise((resolve) => tail.stdout.once('data', resolve));
    tail.stdout.destroy();
    await ask('POST', '/api/v1/tasks', { body: { title: 'For nobody' } });
    expect(await ended).toBe(0);
  });

  test('works without a server as well', async () => {
    await stop();
    const tail = bed.taskwire(['events', 'tail', '-n', '1', '-f'], { env: { DATA_DIR } });
    await tail.said(/task\.created/);
    tail.signal('SIGTERM');
    await tail.exit;
    server = await bed.start({ env: { DATA_DIR } });
  });
});
