import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { acquireInstanceLock, InstanceRunning, readInstance } from './instance-lock.ts';
import { ownProcess } from './processes.ts';

let dataDir: string;
let file: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'taskwire-lock-'));
  file = join(dataDir, 'server.json');
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

/** Processes that all try to take the folder at the same moment, and say how that went; the winner stays alive. */
const contend = async (count: number): Promise<readonly string[]> => {
  const code = `
    import { acquireInstanceLock } from ${JSON.stringify(join(import.meta.dirname, 'instance-lock.ts'))};
    console.log('ready');
    process.stdin.once('data', () => acquireInstanceLock(${JSON.stringify(dataDir)})
      .then(() => console.log('won'), (error) => console.log(error.code ?? error.message)));`;
  const children = Array.from({ length: count }, () =>
    spawn(process.execPath, ['--input-type=module-typescript', '--eval', code], { stdio: ['pipe', 'pipe', 'inherit'] }),
  );
  const nextWords = () =>
    Promise.all(children.map(async ({ stdout }) => String((await once(stdout, 'data'))[0]).trim()));
  await nextWords();
  const answers = nextWords();
  for (const { stdin } of children) stdin.write('go\n');
  const said = await answers;
  const ends = children.map((child) => once(child, 'exit'));
  for (const child of children) child.kill('SIGKILL');
  await Promise.all(ends);
  return said;
};

test('tells the CLI where the server is, until it is released', async () => {
  expect(await readInstance(dataDir)).toBeUndefined();
  const lock = await acquireInstanceLock(dataDir);
  expect(await readInstance(dataDir)).toEqual(ownProcess());
  const facts = {
    url: 'http://localhost:8000',
    database: { host: '/run', port: 5432, user: 'me', password: 'secret' },
  };
  await lock.update(facts);
  expect(await readInstance(dataDir)).toEqual({ ...ownProcess(), ...facts });
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await readdir(dataDir)).toEqual(['server.json']);
  await lock.release();
  expect(await readInstance(dataDir)).toBeUndefined();
  expect(await readdir(dataDir)).toEqual([]);
});

test('refuses a second server, and names the first and what to do', async () => {
  const lock = await acquireInstanceLock(dataDir, { url: 'http://localhost:8000' });
  const second = await acquireInstanceLock(dataDir).catch((error: unknown) => error);
  expect(second).toBeInstanceOf(InstanceRunning);
  expect(second).toMatchObject({
    code: 'instance-running',
    message: expect.stringMatching(new RegExp(`http://localhost:8000.*${process.pid}.*DATA_DIR.*PORT`)),
  });
  await lock.release();
});

test.each([
  ['of a dead process', JSON.stringify({ pid: 4_194_303, processStart: '1' })],
  ['of a process whose pid was given to another', JSON.stringify({ ...ownProcess(), processStart: '1' })],
  ['emptied by a power cut', ''],
])('takes over a file %s', async (_, stale) => {
  await writeFile(file, stale);
  expect(await readInstance(dataDir)).toBeUndefined();
  const lock = await acquireInstanceLock(dataDir);
  expect(await readInstance(dataDir)).toEqual(ownProcess());
  expect(await readdir(dataDir)).toEqual(['server.json']);
  await lock.release();
});

test('does not remove what another process has taken over since', async () => {
  const lock = await acquireInstanceLock(dataDir);
  await writeFile(file, JSON.stringify({ pid: 1, processStart: '' }));
  await lock.release();
  expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({ pid: 1, processStart: '' });
});

test('exactly one of many racing starters wins: on a free folder, and each time its holder was killed', async () => {
  for (const round of [1, 2, 3, 4]) {
    const said = await contend(6);
    expect(said.toSorted(), `round ${round}`).toEqual([...Array(5).fill('instance-running'), 'won']);
    expect((await readdir(dataDir)).filter((name) => name !== 'server.json')).toEqual([]);
  }
});

test('takes over from a process that was killed amid a takeover', async () => {
  await contend(1);
  const stale = await readFile(file, 'utf8');
  await contend(1); // its file stands for the claim that the killed one held
  const claimed = await readFile(file, 'utf8');
  await writeFile(file, stale);
  const claim = `${file}.after-${createHash('sha256').update(stale).digest('hex').slice(0, 16)}`;
  await writeFile(claim, claimed);
  expect((await contend(5)).filter((word) => word === 'won')).toHaveLength(1);
  expect(await readdir(dataDir)).toEqual(['server.json']);
});
