import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';

const program = join(mkdtempSync(join(tmpdir(), 'taskwire-bin-')), 'program.ts');
writeFileSync(
  program,
  `const [command, value]: string[] = process.argv.slice(2);
   if (command === 'exit') process.exitCode = Number(value);
   if (command === 'die') process.kill(process.pid, 'SIGKILL');
   if (command === 'serve') {
     const work = setInterval(() => {}, 1000);
     process.on('SIGTERM', () => { clearInterval(work); console.log('stopped in order'); });
     console.log('ready', process.version);
   }`,
);

const started: ChildProcess[] = [];
afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
});

const run = (nodeFlags: readonly string[], ...args: readonly string[]) => {
  const child = spawn(process.execPath, [...nodeFlags, 'bin/run.js', program, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  started.push(child);
  const output = async () => String(await once(child.stdout, 'data'));
  const ended = once(child, 'exit'); // from the beginning: it may have ended before anybody asks
  const exit = async () => (await ended).find((codeOrSignal) => codeOrSignal !== null);
  return { kill: (signal: NodeJS.Signals) => child.kill(signal), output, exit };
};

/** Makes bin/ believe that an old Node runs it, so that it looks for another. */
const pretendOld = ['--import', 'data:text/javascript,Object.defineProperty(process,"version",{value:"v20.20.2"})'];

describe.each([
  { where: 'on this Node', nodeFlags: [] },
  { where: 'from an older Node', nodeFlags: pretendOld },
])('bin/run.js $where', ({ nodeFlags }) => {
  test('passes arguments on and the exit code back', async () => {
    expect(await run(nodeFlags, 'exit', '3').exit()).toBe(3);
  });

  test('never turns a killed program into a success', async () => {
    expect([137, 'SIGKILL']).toContain(await run(nodeFlags, 'die').exit());
  });

  test('lets the program stop in order', async () => {
    const { kill, output, exit } = run(nodeFlags, 'serve');
    await output();
    kill('SIGTERM');
    expect(await output()).toBe('stopped in order\n');
    expect(await exit()).toBe(0);
  });
});

test('what was compiled is kept, and a program that was changed is run as it is now', async () => {
  const changing = join(mkdtempSync(join(tmpdir(), 'taskwire-bin-')), 'program.ts');
  const said = async (word: string): Promise<string> => {
    writeFileSync(changing, `const word: string = '${word}'; console.log(word);`);
    const { stdout } = await promisify(execFile)(process.execPath, ['bin/run.js', changing]);
    return stdout;
  };
  for (const word of ['one', 'one', 'two', 'one']) expect(await said(word)).toBe(`${word}\n`);
  expect(readdirSync('.cache/compiled').length).toBeGreaterThan(0);
});

test('a program whose wrapper is killed with kill -9 stops in order', async () => {
  const { kill, output } = run(pretendOld, 'serve');
  await output();
  kill('SIGKILL');
  expect(await output()).toBe('stopped in order\n');
});
