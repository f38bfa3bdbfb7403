/** The product as people run it: `taskwire …` in processes of their own, on data folders of their own. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach } from 'vitest';
import { until } from '../../support/until.ts';
import { postmastersBelow, signalAll } from './processes.ts';

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };
export type Run = {
  readonly pid: number;
  /** All that it has printed so far. */
  readonly output: () => string;
  readonly exit: Promise<Exit>;
  readonly running: () => boolean;
  /** Waits until it has printed something that matches; fails at once when it ends before. */
  said(pattern: RegExp): Promise<RegExpExecArray>;
  signal(name: NodeJS.Signals): void;
};
export type Server = Run & { readonly url: string };
export type RunOptions = {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
};

/** What a test needs of the environment, and nothing that whoever runs the tests has set. */
const BASE = {
  PATH: process.env.PATH ?? '',
  HOME: process.env.HOME ?? '/',
  PORT: '0',
  USER_PORT: '0',
  TASK_PORT: '0',
  NOTIFICATION_PORT: '0',
  PASSWORD_COST: '4',
  RATE_LIMITS: 'off',
  LOG_LEVEL: 'warn',
};

/** Folders and processes of the tests of one file: none outlives its test. */
export const productBed = () => {
  const runs: Run[] = [];
  const folders: string[] = [];

  const folder = async (name = 'data'): Promise<string> => {
    const made = await mkdtemp(join(tmpdir(), 'taskwire-e2e-'));
    folders.push(made);
    return join(made, name);
  };
  /** Any program of ours on this Node, in an environment that has nothing of whoever runs the tests. */
  const program = (file: string, args: readonly string[], { env = {}, cwd = ROOT }: RunOptions = {}): Run => {
    const run = observe(file, args, { ...BASE, ...env }, cwd);
    runs.push(run);
    return run;
  };
  const taskwire = (
    args: readonly string[],
    { root = ROOT, ...options }: RunOptions & { readonly root?: string } = {},
  ): Run => program(join(root, 'bin/taskwire.js'), args, { cwd: root, ...options });
  const start = (options?: Parameters<typeof taskwire>[1]): Promise<Server> => answering(taskwire(['start'], options));
  /** Ends every process; the folders stay, for whoever else runs something in them. */
  const end = async (): Promise<void> => {
    for (const run of runs) if (run.running()) run.signal('SIGKILL');
    await Promise.all(runs.splice(0).map(({ exit }) => exit));
  };
  const clear = async (): Promise<void> => {
    await end();
    for (const made of folders.splice(0)) {
      await until(`the databases below ${made} to end`, async () => (await postmastersBelow(made)).length === 0);
      await rm(made, { recursive: true, force: true });
    }
  };
  return { folder, program, taskwire, start, end, clear };
};

/** The same, cleared after each test. */
export const productBedPerTest = () => {
  const bed = productBed();
  afterEach(bed.clear);
  return bed;
};

/** The server once it answers. */
export const answering = async (run: Run): Promise<Server> => {
  const [, url = ''] = await run.said(/ready at (http\S+?),/);
  return { ...run, url };
};

const observe = (file: string, args: readonly string[], env: Record<string, string>, cwd: string): Run => {
  const name = [file, ...args].join(' ');
  const child = spawn(process.execPath, [file, ...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const { pid } = child;
  if (pid === undefined) throw new Error('no process was started');
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  }
  let ended: Exit | undefined;
  const exit = new Promise<Exit>((resolve) => {
    // The end of its output, not of the process: what it said last belongs to it.
    child.once('close', (code, signal) => {
      ended = { code, signal };
      resolve(ended);
    });
  });
  return {
    pid,
    exit,
    output: () => text,
    running: () => ended === undefined,
    said: (pattern) =>
      until(
        `${pattern} in the output of ${name}`,
        () => {
          const match = pattern.exec(text);
          if (!match && ended) throw new Error(`${name} ended (${JSON.stringify(ended)}):\n${text}`);
          return match;
        },
        60_000,
      ),
    signal: (name) => signalAll([pid], name),
  };
};
