/** A service as a process of its own: started, ready, stopped. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { CACHE } from './paths.ts';

export interface Command {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

export interface Service extends AsyncDisposable {
  readonly pid: number;
  /** Milliseconds from spawn to the first 200 of /health/ready. */
  readonly readyAfter: number;
}

const PATIENCE = 60_000;
const GRACE = 10_000;

/** What the service prints goes to NAME.log in the bench's cache. */
export async function startService(name: string, command: Command, port: number): Promise<Service> {
  const logFile = `${CACHE}/${name}.log`;
  const log = openSync(logFile, 'w');
  const from = performance.now();
  const child = spawn(command.command, command.args, {
    cwd: command.cwd,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...command.env },
    stdio: ['ignore', log, log],
    detached: true,
  });
  await once(child, 'spawn');
  const pid = child.pid ?? 0;
  const kill = () => signalGroup(pid, 'SIGKILL');
  process.once('exit', kill);
  const stop = async () => {
    await stopGroup(pid);
    process.off('exit', kill);
  };
  while (!(await isReady(port))) {
    const waited = performance.now() - from;
    if (child.exitCode === null && child.signalCode === null && waited < PATIENCE) {
      await sleep(5);
      continue;
    }
    await stop();
    throw new Error(`not ready after ${(waited / 1000).toFixed(1)} s: ${complaintIn(logFile)}`);
  }
  return { pid, readyAfter: performance.now() - from, [Symbol.asyncDispose]: stop };
}

async function isReady(port: number): Promise<boolean> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/health/ready`);
    await answer.arrayBuffer();
    return answer.status === 200;
  } catch {
    return false;
  }
}

/** The first line that speaks of an error, or else the last. */
function complaintIn(logFile: string): string | undefined {
  const lines = readFileSync(logFile, 'utf8').trimEnd().split('\n');
  return lines.find((line) => /error/i.test(line) && !line.startsWith('node:')) ?? lines.at(-1);
}

/** Asks the leader, who may have to stop the others in order, and waits for all. */
async function stopGroup(pid: number): Promise<void> {
  const end = performance.now() + GRACE;
  signal(pid, 'SIGTERM');
  while (signalGroup(pid, 0) && performance.now() < end) await sleep(10);
  signalGroup(pid, 'SIGKILL');
}

const signalGroup = (leader: number, kind: NodeJS.Signals | 0): boolean => signal(-leader, kind);

/** False when nobody is there any more. */
function signal(pid: number, kind: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, kind);
  } catch {
    return false;
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return address.port;
}
