/** What the documents say can be typed, typed: against a server that was started as they say. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { examplesIn, fits } from './console.ts';
import { damageAnEvent } from './damage.ts';

const dataDir = mkdtempSync(path.join(tmpdir(), 'taskwire-docs-'));
// The cheapest hash: how long a login takes is not what is tested here.
const environment = { ...process.env, DATA_DIR: dataDir, PORT: '0', PASSWORD_COST: '4', LOG_LEVEL: 'silent' };
let server: ChildProcess;
let url = '';

beforeAll(async () => {
  server = spawn(process.execPath, ['bin/taskwire.js', 'start'], {
    env: environment,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let told = '';
  server.stderr?.setEncoding('utf8').on('data', (text: string) => {
    told += text;
  });
  while (url === '') {
    if (server.exitCode !== null) throw new Error(`the server did not start:\n${told}`);
    await pause(50);
    url = /ready at (\S+),/.exec(told)?.[1] ?? '';
  }
});
afterAll(async () => {
  const ended = new Promise((resolve) => server.once('exit', resolve));
  if (server.kill('SIGTERM')) await ended; // false: it ended before
  rmSync(dataDir, { recursive: true, force: true });
});

/** In one shell, so that a variable set by one command is there for the next. Answers the output of each. */
const run = (commands: readonly string[]): readonly string[] => {
  const script = commands.map((command) => `${command}\nprintf '\\036'`).join('\n');
  const here = script.replaceAll('localhost:8000', new URL(url).host);
  const { stdout } = spawnSync('bash', ['-c', here], { encoding: 'utf8', env: environment });
  return stdout.split('\u001e');
};

const documents = [...globSync('*.md'), ...globSync('docs/**/*.md')];
const examples = documents
  .map((document) => ({ document, commands: examplesIn(readFileSync(document, 'utf8')) }))
  .filter(({ commands }) => commands.length > 0);

/** What must have happened before a document can be followed. */
const before: Readonly<Record<string, () => Promise<void>>> = {
  'docs/operations.md': () => damageAnEvent(url, dataDir),
};

test('there are examples to try, in the README first of all', () => {
  const shown = examples.map(({ document }) => document);
  expect(shown).toEqual(expect.arrayContaining(['README.md', ...Object.keys(before)]));
});

describe.each(examples)('$document', ({ document, commands }) => {
  test('its commands answer what it shows', { timeout: 300_000 }, async () => {
    await before[document]?.();
    const outputs = run(commands.map(({ command }) => command));
    const wrong = commands.filter(({ output }, n) => !fits(output, outputs[n] ?? ''));
    expect(wrong.map((one) => ({ ...one, output: outputs[commands.indexOf(one)] }))).toEqual([]);
  });
});

const tour = (at: string) =>
  spawnSync(process.execPath, ['bin/run.js', 'scripts/tour.ts'], {
    encoding: 'utf8',
    env: { ...process.env, TASKWIRE_URL: at },
  });

describe('npm run tour', () => {
  test('tells the whole story, as often as one likes', () => {
    for (const _ of [1, 2]) {
      const { status, stdout, stderr } = tour(url);
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      const told = [...stdout.matchAll(/^ {3}← (\d+)/gm)].map(([, code]) => Number(code));
      expect(new Set(told)).toEqual(new Set([200, 201, 204, 401, 404, 409, 412, 422]));
      expect(stdout).toContain('idempotency-replayed: true');
      expect(stdout).not.toContain('correct horse battery');
    }
  });
  test('says what to do where no server answers', () => {
    const { status, stderr } = tour('http://127.0.0.1:9');
    expect(status).toBe(1);
    expect(stderr).toMatch(/no server answers at http:\/\/127\.0\.0\.1:9 .*\nStart one with `npm start`/);
  });
});

test('every npm script that a document names exists', () => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
  const named = documents.flatMap((document) =>
    [...readFileSync(document, 'utf8').matchAll(/npm (?:run (\w+)|(start|test)\b)/g)].map(([, a, b]) => a ?? b ?? ''),
  );
  expect(named).toEqual(expect.arrayContaining(['start', 'test', 'tour', 'check', 'bench']));
  expect([...new Set(named)].filter((name) => !(name in scripts))).toEqual([]);
});

test('every option that npx taskwire is shown with is one of its commands', { timeout: 300_000 }, () => {
  const shown = documents.flatMap((document) =>
    [...readFileSync(document, 'utf8').matchAll(/(?:npx |`)taskwire ([a-z-]+)(?: ([a-z]+))?/g)].map(
      ([, ...words]) => words,
    ),
  );
  const subs = Map.groupBy(shown, ([command = '']) => command);
  expect([...subs.keys()]).toEqual(expect.arrayContaining(['events', 'consumers', 'dead-letters']));
  for (const [command, uses] of subs) {
    const { status, stdout } = spawnSync(process.execPath, ['bin/taskwire.js', command, '--help'], {
      encoding: 'utf8',
    });
    expect(status, command).toBe(0);
    // A command below it, or what it takes: `choices: "all", "user"`.
    for (const [, sub] of uses) if (sub) expect(stdout, command).toMatch(new RegExp(`[ "]${sub}\\b`));
  }
});
