/** Processes under test: start them, wait until they are ready, stop them, and read what they cost from /proc. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Command {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly logs: string;
}

export interface Running extends AsyncDisposable {
  readonly pid: number;
  /** Milliseconds from spawn to the first 200 of `/health/ready`. */
  readonly readyAfter: number;
}

export async function start(command: Command, port: number, patience = 60_000): Promise<Running> {
  const logFile = `${command.logs}/${command.name}.log`;
  const log = openSync(logFile, 'w');
  const from = performance.now();
  const child = spawn(command.command, command.args, {
    cwd: command.cwd,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...command.env },
    stdio: ['ignore', log, log],
    detached: true,
  });
  const kill = () => signalGroup(child, 'SIGKILL');
  process.once('exit', kill);
  const stop = async () => {
    process.off('exit', kill);
    await stopGently(child);
  };
  try {
    await once(child, 'spawn');
    while (!(await isReady(port))) {
      if (child.exitCode !== null || performance.now() - from > patience) {
        throw new Error(`${command.name} did not become ready: ${lastLines(logFile)}`);
      }
      await sleep(5);
    }
    return { pid: child.pid ?? 0, readyAfter: performance.now() - from, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

const isReady = (port: number): Promise<boolean> =>
  fetch(`http://127.0.0.1:${port}/health/ready`).then(
    async (answer) => {
      await answer.arrayBuffer();
      return answer.status === 200;
    },
    () => false,
  );

const lastLines = (file: string): string => readFileSync(file, 'utf8').trim().split('\n').slice(-3).join(' | ');

async function stopGently(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const inTime = await Promise.race([exited.then(() => true), sleep(10_000, false, { ref: false })]);
  signalGroup(child, 'SIGKILL');
  if (!inTime) await exited;
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // The whole group has gone already.
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

/** The process and its descendants. */
export function tree(root: number): number[] {
  const children = Map.groupBy(allPids(), (pid) => Number(statOf(pid)[1]));
  const found = [root];
  for (const pid of found) found.push(...(children.get(pid) ?? []));
  return found;
}

/** Those who work in a folder: PostgreSQL's processes in their data folder, whoever started them. */
export const workingIn = (folder: string): number[] =>
  allPids().filter((pid) => orElse(() => readlinkSync(`/proc/${pid}/cwd`).startsWith(folder), false));

/** CPU time so far, with that of children that have ended, in microseconds. */
export const cpuTime = (pids: readonly number[]): number =>
  pids.reduce(
    (sum, pid) =>
      sum +
      statOf(pid)
        .slice(11, 15)
        .reduce((ticks, field) => ticks + Number(field), 0),
    0,
  ) *
  (1_000_000 / 100);

/** Proportional set size in bytes, by the command's name. */
export function memory(pids: readonly number[]): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const pid of pids) {
    const rollup = orElse(() => readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'), '');
    const name = orElse(() => readFileSync(`/proc/${pid}/comm`, 'utf8').trim(), '');
    const bytes = Number(/^Pss: +(\d+) kB/m.exec(rollup)?.[1] ?? 0) * 1024;
    sizes.set(name, (sizes.get(name) ?? 0) + bytes);
  }
  return sizes;
}

const allPids = (): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);

/** The fields of /proc/PID/stat from the third on: the second, the name, may hold blanks. */
const statOf = (pid: number): string[] =>
  orElse(() => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [], []);

function orElse<T>(read: () => T, gone: T): T {
  try {
    return read();
  } catch {
    return gone;
  }
}
